"""A group of commands whose modules are imported when one is called: `tocsin status` need not wait for faust."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from schemas.errors import ExtraMissing
from tocsin.extras import extra_missing

COMMANDS = {
    "demo": "tocsin.cli.commands.demo:demo",
    "up": "tocsin.cli.commands.stack:up",
    "down": "tocsin.cli.commands.stack:down",
    "status": "tocsin.cli.commands.stack:status",
    "topics": "tocsin.cli.commands.stack:topics",
    "acl": "tocsin.cli.commands.acl:acl",
    "fetch": "tocsin.cli.commands.stack:fetch",
    "worker": "tocsin.cli.commands.worker:worker",
    "produce": "tocsin.cli.commands.produce.group:produce",
    "alerts": "tocsin.cli.commands.alerts:alerts",
    "devices": "tocsin.cli.commands.devices.group:devices",
    "models": "tocsin.cli.commands.models.group:models",
    "replay": "tocsin.cli.commands.replay:replay",
    "score": "tocsin.cli.commands.score:score",
    "learn": "tocsin.cli.commands.learn:learn",
    "label": "tocsin.cli.commands.label:label",
    "train": "tocsin.cli.commands.train:train",
    "experiment": "tocsin.cli.commands.experiment:experiment",
    "dataset": "tocsin.cli.commands.dataset.group:dataset",
    "retrain": "tocsin.cli.commands.retrain:retrain",
}
"""Where each command is, in the order of ``--help``: a function, or a typer app of its own."""

OLD_NAMES = {"parts": "fetch", "study": "experiment"}
"""Former names of commands: they still work, and ``--help`` does not list them."""


class LazyGroup(TyperGroup):
    """Imports the commands of :data:`COMMANDS` on demand."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Names, in the order of ``--help``."""
        return list(COMMANDS)

    def get_command(  # type: ignore[override]
        self,
        ctx: typer.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> TyperCommand | TyperGroup | None:
        """The command of a name, imported now; None if there is no such command.

        A command whose extra is not installed is listed all the same, and says which one to install when it is called.
        """
        cmd_name = OLD_NAMES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        try:
            found = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            missing = extra_missing(cmd_name, error)
            if missing is None:
                raise
            found = _refusing(cmd_name, missing)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        found.rich_markup_mode = None
        command = typer.main.get_command(found)
        if not isinstance(command, TyperCommand | TyperGroup):
            raise TypeError(f"{COMMANDS[cmd_name]} is not a command")
        command.name = cmd_name
        return command

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Call the command; a module that it reads only now may be missing as well."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            missing = extra_missing(ctx.invoked_subcommand, error)
            if missing is None:
                raise
            raise missing from error


def _refusing(name: str, missing: ExtraMissing) -> typer.Typer:
    def refuse() -> None:
        raise missing

    alone = typer.Typer(add_completion=False)
    any_arguments = {"ignore_unknown_options": True, "allow_extra_args": True}
    alone.command(name, help=f"Not installed: {missing}", add_help_option=False, context_settings=any_arguments)(refuse)
    return alone
