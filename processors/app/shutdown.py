"""Shutdown: in order within a bound, and hard where the order cannot be kept."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable

import faust
import structlog

from processors.app.batch_loop import BatchLoop
from schemas.errors import AccessDenied

_log = structlog.get_logger(__name__)

EXIT_CRASH = 70
"""Exit code of a process whose shutdown hangs."""
_CRASH_S = 3.0
_SHUTDOWN_S = 18.0
_DRAIN_S = 10.0


def end_for_user(denial: AccessDenied) -> None:
    """Ends the process at once, with the denial as its last line and the exit code of what a user must mend.

    Nothing can be stored or committed any more, and what is not committed is read again.
    """
    _log.error(str(denial))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(denial.exit_code)


async def crash(app: faust.App, error: BaseException) -> None:
    """Crashes the app, and ends the process where that hangs."""
    _exit_hard_after(_CRASH_S)
    await app.crash(error)


async def shut_down(loop: BatchLoop, close: Callable[[], Awaitable[None]]) -> None:
    """Ends the running batch, whose final commit follows, and closes what the worker uses.

    Args:
        loop: starts no further batch.
        close: called once no batch runs; not called where the running batch does not end within 10 s.
    """
    loop.stop()
    # Faust's own shutdown waits without a bound for a broker that is away.
    _exit_hard_after(_SHUTDOWN_S)
    try:
        await asyncio.wait_for(loop.drain(), _DRAIN_S)
    except TimeoutError:
        _log.warning("the running batch did not end; it will be read again", waited_s=_DRAIN_S)
        return
    await close()


def _exit_hard_after(seconds: float) -> None:
    # After a crash faust may wait for ever for a thread that has ended; nothing else in the process can end it then.
    def end() -> None:
        threading.Event().wait(seconds)
        os._exit(EXIT_CRASH)

    threading.Thread(target=end, name="hard-exit", daemon=True).start()
