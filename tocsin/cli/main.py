"""The `tocsin` program: global options, and how errors become one line and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from importlib import metadata
from types import TracebackType
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas.errors import ServiceDied, TocsinError
from tocsin.cli.lazy_group import LazyGroup
from tocsin.terminal import accept_all_text, print_error_lines, print_line

INTERRUPTED = 130
_DEBUG = "_TOCSIN_DEBUG"

_USER_FIXABLE = {
    errno.ENOSPC: "free some disk space or choose another folder",
    errno.EDQUOT: "free some disk space or choose another folder",
    errno.EACCES: "give yourself permission or choose another path",
    errno.EPERM: "give yourself permission or choose another path",
    errno.EROFS: "choose a folder that can be written",
}
"""Operating system errors that the user can fix, and how."""

app = typer.Typer(
    name="tocsin",
    cls=LazyGroup,
    help="Detect anomalous sound of machines and rooms on Kafka, and raise alerts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        print_line(f"tocsin {metadata.version('tocsin')}")
        raise typer.Exit


@app.callback()
def _global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Print a traceback when a command fails.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if debug:
        os.environ[_DEBUG] = "1"
    # Every command refuses an unknown setting, even one that needs no settings. Imported late to keep --version fast.
    from tocsin.diagnostics import configure_command_logs
    from tocsin.settings import load_settings

    configure_command_logs(load_settings().log_level)


def main() -> None:
    """Run a command; every mistake of the user's ends in one line and exit code 2."""
    # Parallelism comes from batches and processes; threads inside a matrix product would only compete for the cores.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    # aiokafka logs what we report ourselves; without a handler Python would print it.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    accept_all_text()
    sys.excepthook = _print_bug
    try:
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = "tocsin" if context is None else context.command_path
        code = _fail(f"{_usage_message(error)}; see `{command} --help`", 2)
    except ServiceDied as error:
        # The message ends with the last lines of the service's log: keep its line breaks.
        code = _fail(str(error), error.exit_code, one_line=False)
    except TocsinError as error:
        code = _fail(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output has ended, as in `tocsin alerts | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        if error.errno not in _USER_FIXABLE:
            raise
        code = _fail(f"{error.filename or 'a file'}: {error.strerror}: {_USER_FIXABLE[error.errno]}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _print_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Prints the traceback of an error that no code expects; its message may quote text from outside."""
    print_error_lines("".join(traceback.format_exception(kind, error, trace)))


def _usage_message(error: typer.TyperException) -> str:
    """typer's message, with the value that it leaves out."""
    text = error.format_message().rstrip(".").replace("Value error, ", "")
    if isinstance(error.__cause__, ValidationError):
        value = f"{error.__cause__.errors(include_url=False)[0]['input']!r}"
        if value not in text:
            text += f" (got {value})"
    return text


def _fail(message: str, code: int, *, one_line: bool = True) -> int:
    if os.environ.get(_DEBUG):
        print_error_lines(traceback.format_exc())
    text = f"tocsin: {' '.join(message.split()) if one_line else message}"
    print_error_lines(text)
    return code
