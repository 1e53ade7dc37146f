"""The command line."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from importlib import metadata
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas.errors import ServiceDied, TocsinError
from tocsin.cli.lazy_group import LazyGroup

INTERRUPTED = 130
_DEBUG = "_TOCSIN_DEBUG"

_USERS_TO_MEND = {
    errno.ENOSPC: "free some disk space or choose another folder",
    errno.EDQUOT: "free some disk space or choose another folder",
    errno.EACCES: "give yourself permission or choose another path",
    errno.EPERM: "give yourself permission or choose another path",
    errno.EROFS: "choose a folder that can be written",
}

app = typer.Typer(
    name="tocsin",
    cls=LazyGroup,
    help="Hears a fleet of machines and rooms, and raises an alert when something sounds wrong.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    # A setting that is none is refused by every command, also by those that need none. Read late, for --version's sake.
    from tocsin.settings import load_settings

    load_settings()


def main() -> None:
    """Runs a command; every mistake of the user's ends in one line and exit code 2."""
    # Parallelism comes from batches and processes; threads inside a matrix product would only fight over the cores.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    # aiokafka logs what we say ourselves; without a handler Python would print it.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        where = "tocsin" if context is None else context.command_path
        code = _fail(f"{_text(error)}; `{where} --help` shows what there is", 2)
    except ServiceDied as error:
        # Carries the end of the part's log, which is worth its lines.
        code = _fail(str(error), error.exit_code, one_line=False)
    except TocsinError as error:
        code = _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone, as in `tocsin alerts | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in _USERS_TO_MEND:
            raise
        code = _fail(f"{error.filename or 'a file'}: {error.strerror}: {_USERS_TO_MEND[error.errno]}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _text(error: typer.TyperException) -> str:
    text = error.format_message().rstrip(".")
    # typer's own text leaves out the value.
    if isinstance(error.__cause__, ValidationError):
        text += f" (got {error.__cause__.errors(include_url=False)[0]['input']!r})"
    return text


def _fail(message: str, code: int, *, one_line: bool = True) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    print(f"tocsin: {' '.join(message.split()) if one_line else message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
