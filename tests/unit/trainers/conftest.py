"""Training's libraries are an extra: without them only the shipped models are tested."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthesis.harmless import harmless
from synthesis.scream import scream

_NEEDED = ("torch", "onnx", "onnxscript")
_WITHOUT = {"test_shipped_models.py", "test_closed_form.py", "test_compare.py", "test_knn.py", "test_options.py"}
collect_ignore = (
    []
    if all(find_spec(library) for library in _NEEDED)
    else [path.name for path in Path(__file__).parent.glob("test_*.py") if path.name not in _WITHOUT]
)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data folder: screams, talk and barks, four sources each."""
    root = tmp_path_factory.mktemp("recordings")
    for seed in range(4):
        _write(root / "scream" / "positive" / f"loud_{seed}x.flac", 0.5 * scream(seed, 1.2))
        _write(root / "scream" / "negative" / f"talk{seed}.wav", 0.3 * harmless(seed, "speech"))
        _write(root / "sounds" / "dog-bark" / f"1-10{seed}-A.flac", 0.4 * harmless(seed, "dog-bark"))
    return root


def _write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16_000, subtype="PCM_16")
