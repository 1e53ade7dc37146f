"""The process that checks one model file: stdin is the file, stdout a JSON object a line.

It bounds its own memory, processor time and wall time before it reads a byte, and stays bounded when its parent is
killed.
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
    """Checks the file and writes the findings."""
    what, sha256, limits = sys.argv[1], sys.argv[2], CheckLimits(**json.loads(sys.argv[3]))
    if what == "check":
        # onnxruntime takes memory and a third of a second, and reading a manifest needs none of it.
        from processors.adapters.models.check.scoring import try_model
    out = _open_output()
    _confine(limits)
    try:
        data = _read(sha256, limits)
        model = _parse(data)
        if what == "read":
            _write(out, answer={"manifest": read_metadata(metadata_of(model))[0].model_dump(mode="json")})
            return
        nodes, operators = inspect(model, limits)
        _write(out, passed=GRAPH)
        metadata = metadata_of(model)
        del model
        findings = try_model(data, sha256, metadata, limits, lambda check: _write(out, passed=check))
        _write(out, answer={"nodes": nodes, "operators": operators, **findings})
    except ModelRefused as error:
        _write(out, refused=type(error).__name__, message=str(error))
    except MemoryError:
        _write(out, refused=TooLarge.__name__, message=limits.too_much_memory)
    except Exception as error:
        # An unexpected error: its text tells more than an exit code.
        _write(out, refused=LoadCrashed.__name__, message=f"{type(error).__name__}: {str(error)[:300]}")


def _open_output() -> int:
    """The pipe to the parent; what libraries print is discarded."""
    # The kernel closes it: the parent takes the end of the pipe for the end of the process.
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _write(out: int, **content: Any) -> None:
    line = json.dumps(content).encode() + b"\n"
    while line:
        line = line[os.write(out, line) :]


def _confine(limits: CheckLimits) -> None:
    # The default of SIGALRM ends the process, in native code too.
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)
    # At the first number SIGXCPU, which names the reason; at the second SIGKILL.
    _limit(resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    # macOS accepts a limit of address space and does not enforce it.
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


def _parse(data: bytes) -> onnx.ModelProto:
    if data[4:8] == b"ORTM":
        raise ManifestInvalid("a file in onnxruntime's own format: export it as ONNX")
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise ManifestInvalid(
            f"{len(data):,} bytes are not an ONNX file, or only a part of one ({str(error)[:200]}): export the model"
            " again, or copy the whole file"
        ) from None
    return model


if __name__ == "__main__":
    main()
