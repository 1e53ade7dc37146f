"""The process that looks at one model file: stdin is the file, stdout a JSON object a line.

It bounds its own memory, computing and time before it reads a byte, and stays bounded when its parent is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sys
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from processors.adapters.models.check.graph import inspect, metadata_of
from processors.adapters.models.check.limits import GRAPH, CheckLimits
from schemas.errors import DigestMismatch, LoadCrashed, ManifestInvalid, ModelRefused, TooLarge
from schemas.manifest import read_metadata


def main() -> None:
    """Looks at the file and says what it found."""
    what, sha256, limits = sys.argv[1], sys.argv[2], CheckLimits(**json.loads(sys.argv[3]))
    if what == "check":
        # onnxruntime takes memory and a third of a second, and reading a manifest needs none of it.
        from processors.adapters.models.check.scoring import try_model
    out = _voice()
    _confine(limits)
    try:
        data = _read(sha256, limits)
        model = _parsed(data)
        if what == "read":
            _say(out, answer={"manifest": read_metadata(metadata_of(model))[0].model_dump(mode="json")})
            return
        nodes, operators = inspect(model, limits)
        _say(out, passed=GRAPH)
        metadata = metadata_of(model)
        del model
        found = try_model(data, sha256, metadata, limits, lambda check: _say(out, passed=check))
        _say(out, answer={"nodes": nodes, "operators": operators, **found})
    except ModelRefused as error:
        _say(out, refused=type(error).__name__, message=str(error))
    except MemoryError:
        _say(out, refused=TooLarge.__name__, message=limits.too_much_memory)
    except Exception as error:
        # A file that nobody has thought of; what went wrong tells more than an exit code.
        _say(out, refused=LoadCrashed.__name__, message=f"{type(error).__name__}: {str(error)[:300]}")


def _voice() -> int:
    """The pipe to the parent; what a library prints goes nowhere."""
    # Left to the kernel to close: the parent takes the pipe's end for the end of the process.
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _say(out: int, **content: Any) -> None:
    line = json.dumps(content).encode() + b"\n"
    while line:
        line = line[os.write(out, line) :]


def _confine(limits: CheckLimits) -> None:
    # The default of SIGALRM ends the process, whatever native code it is in.
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)
    # At the first number SIGXCPU, which says what happened; at the second SIGKILL.
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    # macOS takes the limit of address space and does not keep it.
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - one read, before anything else
            pages = int(file.read().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory_bytes)


def _limit(what: int, soft: int, most: int | None = None) -> None:
    _, hard = resource.getrlimit(what)
    most = soft if most is None else most
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (min(soft, most), most))


def _read(sha256: str, limits: CheckLimits) -> bytes:
    data = sys.stdin.buffer.read(limits.file_bytes + 1)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DigestMismatch("the file changed while it was checked")
    return data


def _parsed(data: bytes) -> onnx.ModelProto:
    if data[4:8] == b"ORTM":
        raise ManifestInvalid("a file in onnxruntime's own format: export it as ONNX")
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ManifestInvalid(
            f"{len(data):,} bytes that are no ONNX file, or not the whole of one ({str(error)[:200]}): export the model"
            " again, or copy the whole file"
        ) from None
    return model


if __name__ == "__main__":
    main()
