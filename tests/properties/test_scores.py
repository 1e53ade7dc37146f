"""Any split of a recording gives the scores of the whole, by the shipped models; files and streams agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adapters.models.onnx_model import load_shipped
from processors.core.audio.recording import rows_of, windows_of
from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from producers.pcm import Block
from schemas.chunk import Chunk
from tocsin.scoring import FileScorer

DETECTORS = ("machine", "scream")


def recording(rate: int, seed: int) -> np.ndarray:
    """Three seconds of noise with a tone that comes and goes, int16 (n, 1)."""
    rng = np.random.default_rng(seed)
    t = np.arange(3 * rate) / rate
    tone = 3_000 * np.sin(2 * np.pi * 900 * t) * (np.sin(2 * np.pi * t) > 0)
    return (rng.normal(0, 800, len(t)) + tone).astype(np.int16)[:, None]


def whole_scores(detector: str, samples: np.ndarray, rate: int) -> np.ndarray:
    model = load_shipped(detector)
    spec = model.manifest.features
    return model.score(windows_of(rows_of(samples, rate, spec), spec))[0]


@pytest.mark.parametrize("detector", DETECTORS)
@settings(max_examples=25, deadline=None)
@given(rate=st.sampled_from([12_000, 16_000, 44_100]), cuts=st.lists(st.integers(1, 132_000), max_size=30))
def test_random_chunks_give_the_scores_of_the_recording(detector: str, rate: int, cuts: list[int]) -> None:
    samples = recording(rate, 1)
    segment = Segment("d", "s", rate, 0, {Slot(detector, "champion"): load_shipped(detector)})
    scorer, got = BatchScorer(), []
    edges = [0, *sorted({cut for cut in cuts if cut < len(samples)}), len(samples)]
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        chunk = Chunk("d", "s", number, first, rate, 1, 0, samples[first:last].tobytes())
        got += [scored.score for scored in scorer.score([(segment, chunk, number)], {"d": 0})]

    np.testing.assert_array_equal(np.float32(got), whole_scores(detector, samples, rate))


@dataclass
class Recording:
    """A source that hands out blocks of a chosen size."""

    samples: np.ndarray
    sample_rate: int
    block: int
    name: str = "recording"
    channels: int = 1
    unit: str = "full scale"
    full_scale: float = 1.0

    @property
    def n_samples(self) -> int:
        return len(self.samples)

    def blocks(self) -> Iterator[Block]:
        for start in range(0, len(self.samples), self.block):
            yield Block(self.samples[start : start + self.block])


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("block", [777, 16_000, 1_000_000])
def test_a_file_scores_as_the_whole_recording(detector: str, block: int) -> None:
    samples = recording(16_000, 2)

    outputs = list(FileScorer(load_shipped(detector)).score(Recording(samples, 16_000, block)))

    np.testing.assert_allclose(
        [output.score.score for output in outputs], whole_scores(detector, samples, 16_000), rtol=1e-5, atol=1e-5
    )
