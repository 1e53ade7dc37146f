"""`tocsin dataset`: sets of recordings to train and measure with."""

from __future__ import annotations

import typer

from tocsin.cli.commands.capture import capture
from tocsin.cli.commands.synthesize import synthesize

dataset = typer.Typer(name="dataset", add_completion=False, help="Make sets of recordings.", no_args_is_help=True)


@dataset.callback()
def _group() -> None:
    """Make sets of recordings."""


dataset.command("synthesize")(synthesize)
dataset.command("capture")(capture)
