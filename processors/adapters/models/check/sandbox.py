"""The process that opens unknown model files: started, read within bounds, and always ended afterwards."""

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
from schemas.errors import LoadCrashed, LoadStuck, TooSlow, refusal_named

_PROCESS = "processors.adapters.models.check.process"
_MAX_OUTPUT_BYTES = 256 * 1024
# The process ends itself at wall_s; this is for one that cannot.
_GRACE_S = 2.0


def run_check(
    file: BufferedReader,
    what: Literal["check", "read"],
    sha256: str,
    limits: CheckLimits,
    on_passed: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Checks a file in a process of its own.

    Args:
        file: open, at any position.
        what: ``read`` parses the file and its manifest, ``check`` does all.
        sha256: of the file; the process verifies that it reads the same.
        limits: see :class:`processors.adapters.models.check.limits.CheckLimits`.
        on_passed: called with each check that it passed, in their order.

    Returns:
        The answer of the process; not trustworthy before it is validated.

    Raises:
        ModelRefused: it refuses the file, or does not end: the class names why.
    """
    # Not file.seek, which may only move within its buffer and leave the descriptor where it is.
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
        messages, ended = _read_output(process, limits.wall_s + _GRACE_S)
    finally:
        # Before process.wait(): until then no other process can have its id.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    passed = [str(message["passed"])[:100] for message in messages if "passed" in message]
    for check in passed:
        on_passed(check)
    return _answer(messages, passed, process.returncode if ended else None, limits)


def _read_output(process: subprocess.Popen[bytes], seconds: float) -> tuple[list[dict[str, Any]], bool]:
    """Its output, a JSON object a line, bounded in size and time; and whether it ended by itself.

    Raises:
        LoadCrashed: the output is longer than any answer.
    """
    if process.stdout is None:
        raise ValueError("the process was started without a pipe")
    output, ended = b"", False
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not ended and len(output) <= _MAX_OUTPUT_BYTES and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                block = os.read(process.stdout.fileno(), 65_536)
                output += block
                ended = not block
    if len(output) > _MAX_OUTPUT_BYTES:
        raise LoadCrashed(f"the process that checked it wrote too much: more than {_MAX_OUTPUT_BYTES} bytes")
    messages = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            messages.append(json.loads(line))
    return [message for message in messages if isinstance(message, dict)], ended


def _answer(messages: list[dict[str, Any]], passed: list[str], code: int | None, limits: CheckLimits) -> dict[str, Any]:
    for message in messages:
        if "refused" in message:
            raise refusal_named(str(message["refused"]), str(message.get("message", ""))[:2_000])
    for message in messages:
        if code == 0 and isinstance(message.get("answer"), dict):
            return dict(message["answer"])
    stage = SANDBOXED[min(len(passed), len(SANDBOXED) - 1)]
    if code is None or -code in (signal.SIGALRM, signal.SIGXCPU):
        computed = code is not None and -code == signal.SIGXCPU
        spent = f"{limits.cpu_s} s of computing" if computed else f"{limits.wall_s:g} s"
        if LOAD in passed:
            raise TooSlow(f"scoring a few windows did not end within {spent}")
        raise LoadStuck(f"the check did not end within {spent}; it was at {stage!r}")
    how = f"by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"with exit code {code}"
    raise LoadCrashed(f"the process that checked it ended {how} at {stage!r}")
