"""What tests of the trainers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthesis.harmless import harmless
from synthesis.scream import scream
from trainers.export import artefact


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data folder: screams, talk and barks, four sources each."""
    root = tmp_path_factory.mktemp("recordings")
    for seed in range(4):
        _write(root / "scream" / "positive" / f"loud_{seed}x.flac", 0.5 * scream(seed, 1.2))
        _write(root / "scream" / "negative" / f"talk{seed}.wav", 0.3 * harmless(seed, "speech"))
        _write(root / "sounds" / "dog-bark" / f"1-10{seed}-A.flac", 0.4 * harmless(seed, "dog-bark"))
    return root


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are written without pictures, which take longer to draw than a small model to train."""
    monkeypatch.setattr(artefact, "_pictures", lambda _: {})


def _write(path: Path, samples: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16_000, subtype="PCM_16")
