"""Starting a child process that ends with this one, or that outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path

# Linux kills a child with its parent if the child requests it. It does so after exec, in a Python that then becomes the
# real program: between fork and exec no Python code runs safely in a process with threads.
TIE = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
    sys.exit("prctl(PR_SET_PDEATHSIG) failed")
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one has ended")
os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: Sequence[str]) -> list[str]:
    """``command``, to be killed when this process ends, however it ends; unchanged on macOS, which cannot do that."""
    if sys.platform != "linux" or not sys.executable:
        return list(command)
    return [sys.executable, "-I", "-S", "-c", TIE, str(os.getpid()), *command]


@cache
def _spawner(pid: int) -> ThreadPoolExecutor:  # noqa: ARG001  a forked process must not use its parent's thread
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-spawn")


def spawn(
    command: Sequence[str], cwd: Path, console: Path, lock_fd: int, started: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    """Start ``command`` in ``cwd``, in a session of its own, its output going to the file ``console``.

    It starts in a thread dedicated to this: Linux signals the parent's death when the *thread* that forked ends, and
    the caller's thread may be short-lived. ``started`` receives the process in that thread, so that not even an
    interrupt while waiting can lose it.

    Args:
        command: program (absolute path) and arguments.
        cwd: an existing folder.
        console: overwritten.
        lock_fd: inherited, so that the folder stays locked for as long as the child lives.
        started: called once with the process.

    Raises:
        OSError: the program cannot be started, or the file cannot be written.
    """

    def start() -> None:
        with os.fdopen(os.open(console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                umask=0o077,  # logs and data are for this account alone
                start_new_session=True,  # this process handles Ctrl-C and stops its children
                pass_fds=(lock_fd,),
            )
        started(process)

    future: Future[None] = _spawner(os.getpid()).submit(start)
    try:
        future.result()
    except BaseException:
        wait([future])
        raise


def _environment() -> dict[str, str]:
    # Options for other Java programs would change the broker, and print to its console.
    return {
        name: value for name, value in os.environ.items() if not name.endswith(("JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"))
    }
