"""`tocsin models`: published, looked at, compared, promoted, rolled back, retired."""

from __future__ import annotations

import typer

from tocsin.cli.commands.model_changes import keygen, promote, publish, retire, rollback
from tocsin.cli.commands.model_comparison import compare
from tocsin.cli.commands.model_inspection import list_models, show, verify

models = typer.Typer(
    name="models", add_completion=False, help="Deliver models to running workers.", no_args_is_help=True
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
