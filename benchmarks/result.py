"""Benchmark results, saved with the machine they were measured on."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "results"


def save(name: str, figures: dict[str, Any]) -> None:
    """Prints a result and saves it as ``results/NAME.json``."""
    result = {
        "benchmark": name,
        "machine": machine(),
        "python": platform.python_version(),
        "packages": {p: metadata.version(p) for p in ("numpy", "onnxruntime", "aiokafka", "faust-streaming")},
        "figures": figures,
    }
    text = json.dumps(result, indent=1) + "\n"
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"{name}.json").write_text(text, encoding="utf-8")
    print(text, end="")


def machine() -> dict[str, Any]:
    """CPU, cores and system of this machine."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")), "unknown"
    )
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform(terse=True)}


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.exists() else ""
