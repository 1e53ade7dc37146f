"""A score that falls with anomalies is detected, made two-sided, or rejected."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from torch import nn

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import EmptyAudio, ScoreInverted
from schemas.features import FeatureSpec
from synthesis.fault import FAULTS
from synthesis.machine import random_machine
from trainers.evaluation.direction import ensure_score_direction, generated_anomalies
from trainers.export.torch_model import TorchModel
from trainers.recipes.registry import RECIPES

pytestmark = pytest.mark.train

SPEC = FeatureSpec(n_frames=48, window_hop=24, level="none")


class Loudness(nn.Module):
    """Mean level times a factor: rises with anything that is added, or falls, or never moves."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.factor * log_mel.mean(dim=(1, 2))


@pytest.fixture(scope="module")
def normal() -> list[npt.NDArray[np.float32]]:
    machine = random_machine(11, "fan")
    return [machine.sound.at(n * 32_000, 32_000).astype(np.float32) for n in range(4)]


def model(factor: float) -> TorchModel:
    return TorchModel(Loudness(factor).eval())


def test_a_rising_score_is_unchanged(normal: list[npt.NDArray[np.float32]]) -> None:
    loud = model(1.0)
    kept, found = ensure_score_direction(loud, SPEC, normal, 3)
    assert kept is loud
    assert (found.kind, found.rising, found.auc) == ("rising", 1.0, 1.0)
    assert set(found.by_anomaly) == set(FAULTS)
    assert found.rising_before == 1.0


def test_a_falling_score_becomes_its_distance_from_the_usual_score(normal: list[npt.NDArray[np.float32]]) -> None:
    turned, found = ensure_score_direction(model(-1.0), SPEC, normal, 3)
    assert found.kind == "two-sided"
    assert found.rising_before == 0.0
    assert found.rising > 0.9
    windows = windows_of(rows_of(normal[0], 16_000, SPEC), SPEC)
    session = onnxruntime.InferenceSession(turned.graph(windows).SerializeToString())
    (score,) = session.run(["score"], {"log_mel": windows})
    assert np.allclose(score, turned.infer(windows)[0], atol=1e-5)
    assert score.min() >= 0.0


def test_a_falling_or_constant_score_is_rejected(normal: list[npt.NDArray[np.float32]]) -> None:
    with pytest.raises(ScoreInverted, match="0%"):
        ensure_score_direction(model(-1.0), SPEC, normal, 3, two_sided=False)
    with pytest.raises(ScoreInverted, match="50%"):
        ensure_score_direction(model(0.0), SPEC, normal, 3)


def test_recordings_shorter_than_a_window_are_rejected(normal: list[npt.NDArray[np.float32]]) -> None:
    with pytest.raises(EmptyAudio, match="none of 2"):
        ensure_score_direction(model(1.0), SPEC, [normal[0][:5_000], normal[1][:5_000]], 3)


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_anomalies_have_the_requested_level_and_differ(rate: int) -> None:
    samples = 0.002 * np.random.default_rng(0).standard_normal(3 * rate).astype(np.float32)
    made = generated_anomalies(samples, rate, 4, severity_db=6.0)
    for mixed in made.values():
        added = mixed - samples
        assert mixed.shape == samples.shape
        assert 20 * np.log10(added.std() / samples.std()) == pytest.approx(6.0, abs=1.0)
    assert len({mixed.tobytes() for mixed in made.values()}) == len(FAULTS)
    again = generated_anomalies(samples, rate, 4, severity_db=6.0)
    assert all(np.array_equal(made[kind], again[kind]) for kind in made)


def test_every_recipe_asks_but_those_that_the_decision_record_names() -> None:
    root = Path(__file__).parents[3]

    @cache
    def reached(module: str) -> frozenset[str]:
        """Modules of the trainers that one imports, however far, and what of the direction they take."""
        found = {module}
        path = root / module.replace(".", "/")
        source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("trainers."):
                if node.module == "trainers.evaluation.direction":
                    found |= {alias.name for alias in node.names}
                else:
                    found |= reached(node.module)
        return frozenset(found)

    silent = {
        name for name, where in RECIPES.items() if "ensure_score_direction" not in reached(where.partition(":")[0])
    }

    record = (root / "docs/adr/0010-a-score-has-one-direction.md").read_text()
    assert silent == {name for name in RECIPES if f"The `{name}` recipe does not check" in record}
