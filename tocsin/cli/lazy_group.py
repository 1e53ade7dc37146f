"""A group of commands whose modules are read when one is called: `tocsin status` need not wait for faust."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "demo": "tocsin.cli.commands.demo:demo",
    "up": "tocsin.cli.commands.stack:up",
    "down": "tocsin.cli.commands.stack:down",
    "status": "tocsin.cli.commands.stack:status",
    "topics": "tocsin.cli.commands.stack:topics",
    "parts": "tocsin.cli.commands.stack:parts",
    "worker": "tocsin.cli.commands.worker:worker",
    "produce": "tocsin.cli.commands.produce:produce",
    "alerts": "tocsin.cli.commands.alerts:alerts",
    "devices": "tocsin.cli.commands.devices:devices",
    "models": "tocsin.cli.commands.models:models",
    "replay": "tocsin.cli.commands.replay:replay",
    "score": "tocsin.cli.commands.score:score",
    "learn": "tocsin.cli.commands.learn:learn",
    "label": "tocsin.cli.commands.label:label",
    "train": "tocsin.cli.commands.train:train",
    "study": "tocsin.cli.commands.experiment:study",
    "dataset": "tocsin.cli.commands.dataset:dataset",
    "retrain": "tocsin.cli.commands.retrain:retrain",
}
"""Where each command is, in the order of ``--help``: a function, or a typer app of its own."""


class LazyGroup(TyperGroup):
    """Looks commands up in :data:`COMMANDS`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Names, in their order."""
        return list(COMMANDS)

    def get_command(  # type: ignore[override]
        self,
        ctx: typer.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> TyperCommand | TyperGroup | None:
        """The command, its module read now; None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        found.rich_markup_mode = None
        command = typer.main.get_command(found)
        if not isinstance(command, TyperCommand | TyperGroup):
            raise TypeError(f"{COMMANDS[cmd_name]} is no command")
        command.name = cmd_name
        return command
