"""A thousand random splits of a recording into chunks change no score by more than 1e-5, with any features."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_model, load_shipped_models
from processors.core.audio.recording import rows_of, windows_of
from processors.core.models.model import ScoringModel, Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from schemas.chunk import Chunk
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from schemas.score import ModelRef
from synthesis.machine import random_machine
from trainers.export.artefact import write
from trainers.recipes.knn.data import ContinuousAudio
from trainers.recipes.knn.options import KnnOptions
from trainers.recipes.knn.recipe import train_knn

pytestmark = pytest.mark.subprocess

CUTTINGS = 1_000
SECONDS = 3.3
RATES = (8_000, 12_000, 16_000, 44_100)
LARGEST = 1e-5
CALIBRATION = Calibration(transfer="relative", threshold=1.0, spread=1.0, n=1, quantiles={})

EYE_SCREAM = FeatureSpec(
    sample_rate=22_050, n_fft=4_096, win_length=4_096, hop=4_096, fmin=0.0, fmax=11_025.0, n_frames=6, window_hop=1
)
WAVEFORM = FeatureSpec(
    transform="waveform", sample_rate=8_000, n_fft=400, win_length=400, hop=400, fmax=4_000.0, level="none",
    n_frames=20, window_hop=3,
)  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """Scores a window by how far its features spread."""

    spec: FeatureSpec
    calibration: Calibration = CALIBRATION

    @property
    def ref(self) -> ModelRef:
        return ModelRef(name="spread", version="1", sha256=self.sha256)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.spec.hash().encode()).hexdigest()

    def score(self, features: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], None]:
        return features.std(axis=(1, 2)), None


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ScoringModel]:
    sound = random_machine(3, "pump").sound.at(0, 50 * 16_000).astype(np.float32)
    trained = train_knn([ContinuousAudio(sound, 16_000, "")], "knn", "", 7, KnnOptions(window=3))
    knn = load_model(write(trained, tmp_path_factory.mktemp("knn"), 7, "1.0.0"))
    shipped = load_shipped_models(load_detectors())
    assert set(shipped) == {"machine", "scream"}
    return {**shipped, "knn": knn, "eye-scream": Spread(EYE_SCREAM), "waveform": Spread(WAVEFORM)}


def recording(rate: int) -> np.ndarray:
    """Noise with a tone that comes and goes, int16 (n, 1)."""
    rng = np.random.default_rng(1)
    t = np.arange(int(SECONDS * rate)) / rate
    tone = 3_000 * np.sin(2 * np.pi * 900 * t) * (np.sin(2 * np.pi * t) > 0)
    return (rng.normal(0, 800, len(t)) + tone).astype(np.int16)[:, None]


def cuts_of(number: int, length: int) -> list[int]:
    """From a few to many pieces; every fifth time some of a few samples, as a sensor sends them."""
    rng = np.random.default_rng(number)
    cuts = set(rng.integers(1, length, int(rng.integers(1, 25))).tolist())
    if number % 5 == 0:
        start = int(rng.integers(1, length - 100))
        cuts |= set(range(start, start + 40, int(rng.integers(1, 9))))
    return [0, *sorted(cuts), length]


def scores(
    models: Mapping[str, ScoringModel], samples: np.ndarray, rate: int, edges: list[int]
) -> dict[str, list[float]]:
    segment = Segment("d", "s", rate, 0, {Slot(name, "champion"): model for name, model in models.items()})
    scorer = BatchScorer()
    got: dict[str, list[float]] = {name: [] for name in models}
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        chunk = Chunk("d", "s", number, first, rate, 1, 0, samples[first:last].tobytes())
        for scored in scorer.score([(segment, chunk, number)], {"d": 0}):
            got[scored.window.slot.detector].append(scored.score)
    return got


@pytest.mark.parametrize("quarter", range(len(RATES)))
def test_no_score_changes(models: Mapping[str, ScoringModel], quarter: int) -> None:
    rate = RATES[quarter]
    samples = recording(rate)
    whole = {
        name: model.score(windows_of(rows_of(samples, rate, model.spec), model.spec))[0]
        for name, model in models.items()
    }
    assert min(len(values) for values in whole.values()) >= 1
    largest = dict.fromkeys(models, 0.0)
    for number in range(quarter, CUTTINGS, len(RATES)):
        for name, told in scores(models, samples, rate, cuts_of(number, len(samples))).items():
            assert len(told) == len(whole[name]), (number, name)
            largest[name] = max(largest[name], float(np.abs(told - whole[name]).max()))
    assert max(largest.values()) <= LARGEST, largest
