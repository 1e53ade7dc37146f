"""`tocsin models`: publish, inspect, compare, promote, roll back and retire models."""

from __future__ import annotations

import typer

from tocsin.cli.commands.models.changes import keygen, promote, publish, retire, rollback
from tocsin.cli.commands.models.comparison import compare
from tocsin.cli.commands.models.inspection import list_models, show, verify

models = typer.Typer(
    name="models", add_completion=False, help="Publish models to running workers and manage them.", no_args_is_help=True
)

models.command("publish")(publish)
models.command("list")(list_models)
models.command("show")(show)
models.command("verify")(verify)
models.command("compare")(compare)
models.command("promote")(promote)
models.command("rollback")(rollback)
models.command("retire")(retire)
models.command("keygen")(keygen)
