"""The command line."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from importlib import metadata
from typing import Annotated

import click
import typer

from schemas.errors import TocsinError
from tocsin.commands.alerts import alerts
from tocsin.commands.demo import demo
from tocsin.commands.devices import devices
from tocsin.commands.produce import produce
from tocsin.commands.score import score
from tocsin.commands.stack import down, parts, status, topics, up
from tocsin.commands.train import train
from tocsin.commands.worker import worker

INTERRUPTED = 130

app = typer.Typer(
    name="tocsin",
    help="Hears a fleet of machines and rooms, and raises an alert when something sounds wrong.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, up, down, status, topics, parts, worker, score, train):
    app.command()(command)
for group in (produce, alerts, devices):
    app.add_typer(group)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {metadata.version('tocsin')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback where a command fails.")] = False,
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    if debug:
        os.environ[_DEBUG] = "1"


_DEBUG = "_TOCSIN_DEBUG"


def main() -> None:
    """Runs a command; every mistake of the user's ends in one line and exit code 2."""
    logging.captureWarnings(True)
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "tocsin"
        code = _fail(f"{error.format_message()} See `{where} --help`.", error.exit_code)
    except TocsinError as error:
        code = _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno == errno.EPIPE:
            # The reader of our output has gone, as in `tocsin alerts | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        elif error.errno in _USERS_TO_MEND:
            code = _fail(f"{error.filename or 'a file'}: {error.strerror}: {_USERS_TO_MEND[error.errno]}", 2)
        else:
            raise
    sys.exit(code if isinstance(code, int) else 0)


_USERS_TO_MEND = {
    errno.ENOSPC: "free some disk space or choose another folder",
    errno.EDQUOT: "free some disk space or choose another folder",
    errno.EACCES: "give yourself permission or choose another path",
    errno.EPERM: "give yourself permission or choose another path",
    errno.EROFS: "choose a folder that can be written",
}


def _fail(message: str, code: int) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    print(f"tocsin: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
