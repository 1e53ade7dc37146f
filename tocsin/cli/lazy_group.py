"""A group of commands whose modules are read when one is called: `tocsin status` need not wait for faust."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "demo": "tocsin.commands.demo:demo",
    "up": "tocsin.commands.stack:up",
    "down": "tocsin.commands.stack:down",
    "status": "tocsin.commands.stack:status",
    "topics": "tocsin.commands.stack:topics",
    "parts": "tocsin.commands.stack:parts",
    "worker": "tocsin.commands.worker:worker",
    "produce": "tocsin.commands.produce:produce",
    "alerts": "tocsin.commands.alerts:alerts",
    "devices": "tocsin.commands.devices:devices",
    "models": "tocsin.commands.models:models",
    "replay": "tocsin.commands.replay:replay",
    "score": "tocsin.commands.score:score",
    "learn": "tocsin.commands.learn:learn",
    "label": "tocsin.commands.label:label",
    "train": "tocsin.commands.train:train",
    "study": "tocsin.commands.study:study",
    "dataset": "tocsin.commands.dataset:dataset",
    "retrain": "tocsin.commands.retrain:retrain",
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
