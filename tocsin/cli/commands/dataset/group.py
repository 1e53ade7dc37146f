"""`tocsin dataset`: sets of recordings to train and evaluate with."""

from __future__ import annotations

import typer

from tocsin.cli.commands.dataset.capture import capture
from tocsin.cli.commands.dataset.synthesize import synthesize

dataset = typer.Typer(
    name="dataset", add_completion=False, help="Create sets of recordings to train and evaluate with.",
    no_args_is_help=True,
)  # fmt: skip

dataset.command("synthesize")(synthesize)
dataset.command("capture")(capture)
