"""The process that opens unknown model files: started, heard within bounds, and always gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from io import BufferedReader
from typing import Any, Literal

from processors.adapters.models.check.limits import LOAD, SANDBOXED, CheckLimits
from schemas import errors
from schemas.errors import LoadCrashed, LoadStuck, ModelRefused, TooSlow

_PROCESS = "processors.adapters.models.check.process"
_MAX_ANSWER = 256 * 1024
# The process ends itself at wall_s; this is for one that cannot.
_GRACE_S = 2.0


def ask(
    file: BufferedReader,
    what: Literal["check", "read"],
    sha256: str,
    limits: CheckLimits,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Has a file looked at.

    Args:
        file: open at any place.
        what: ``read`` parses the file and its manifest, ``check`` does all.
        sha256: of the file; the process makes sure that it reads the same.
        limits: see :class:`processors.adapters.models.check.limits.CheckLimits`.
        tell: told each check that it passed, in their order.

    Returns:
        What the process answers; not to be trusted before it is validated.

    Raises:
        ModelRefused: it refuses the file, or did not come to an end: the class names why.
    """
    # Not file.seek, which may move within what it has read ahead and leave the descriptor where it is.
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", _PROCESS, what, sha256, json.dumps(asdict(limits))],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Of our environment only what Python needs to find the modules: no address, no password, no key.
        env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "OMP_NUM_THREADS": "1"},
        cwd="/",
        start_new_session=True,
    )
    try:
        said, ended = _hear(process, limits.wall_s + _GRACE_S)
    finally:
        # Before it is waited for: until then no other process can have its number.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    passed = [str(item["passed"])[:100] for item in said if "passed" in item]
    for check in passed:
        tell(check)
    return _answer(said, passed, process.returncode if ended else None, limits)


def _hear(process: subprocess.Popen[bytes], seconds: float) -> tuple[list[dict[str, Any]], bool]:
    """What it says, a JSON object a line, bounded in size and time; and whether it came to its end by itself.

    Raises:
        LoadCrashed: it says more than any answer is long.
    """
    if process.stdout is None:
        raise ValueError("the process was started without a pipe")
    heard, ended = b"", False
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not ended and len(heard) <= _MAX_ANSWER and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                piece = os.read(process.stdout.fileno(), 65_536)
                heard += piece
                ended = not piece
    if len(heard) > _MAX_ANSWER:
        raise LoadCrashed(f"the process that tried it said too much: more than {_MAX_ANSWER} bytes")
    said = []
    for line in heard.splitlines():
        with contextlib.suppress(ValueError):
            said.append(json.loads(line))
    return [item for item in said if isinstance(item, dict)], ended


def _answer(said: list[dict[str, Any]], passed: list[str], code: int | None, limits: CheckLimits) -> dict[str, Any]:
    for item in said:
        if "refused" in item:
            raise _refusal(str(item["refused"]), str(item.get("message", ""))[:2_000])
    for item in said:
        if code == 0 and isinstance(item.get("answer"), dict):
            return dict(item["answer"])
    stage = SANDBOXED[min(len(passed), len(SANDBOXED) - 1)]
    if code is None or -code in (signal.SIGALRM, signal.SIGXCPU):
        computed = code is not None and -code == signal.SIGXCPU
        spent = f"{limits.cpu_s} s of computing" if computed else f"{limits.wall_s:g} s"
        if LOAD in passed:
            raise TooSlow(f"scoring a few windows did not end within {spent}")
        raise LoadStuck(f"the check did not end within {spent}; it stood at {stage!r}")
    how = f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"
    raise LoadCrashed(f"the process that tried it ended {how} at {stage!r}")


def _refusal(name: str, message: str) -> ModelRefused:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, ModelRefused):
        return kind(message)
    return LoadCrashed(f"the check refused it by a name that does not exist: {name[:100]!r}")
