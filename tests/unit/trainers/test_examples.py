"""Example windows: their selection and their plots."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from trainers.evaluation.example_figures import draw_examples
from trainers.evaluation.examples import best_and_worst
from trainers.example import Example


def window(value: float) -> np.ndarray:
    return np.full((4, 3), value, np.float32)


def make_example(title: str, score: float, features: np.ndarray) -> Example:
    return Example(title, score, features)


def test_the_lowest_and_highest_of_each_group_are_selected() -> None:
    groups = {
        "normal": [(np.stack([window(1), window(2)]), np.array([3.0, 0.5])), (window(3)[None], np.array([9.0]))],
        "leak": [(np.stack([window(4), window(5)]), np.array([7.0, np.nan]))],
    }
    chosen = best_and_worst(groups, make_example)
    assert [(one.title, one.score, float(one.features[0, 0])) for one in chosen] == [
        ("normal, lowest", 0.5, 2.0),
        ("normal, highest", 9.0, 3.0),
        ("leak", 7.0, 4.0),
    ]
    assert best_and_worst({"nothing": []}, make_example) == ()


RNG = np.random.default_rng(3)
PLAIN = Example("normal, lowest", 1.0, RNG.normal(size=(20, 16)).astype(np.float32))
RECONSTRUCTED = replace(PLAIN, reconstruction=np.zeros((20, 16), np.float32), seconds=2.0)
WITH_SAMPLES = replace(RECONSTRUCTED, samples=RNG.normal(size=4_000).astype(np.float32), sample_rate=8_000)
CURVE = replace(WITH_SAMPLES, features=WITH_SAMPLES.features[:1], reconstruction=np.zeros((1, 16), np.float32))


@pytest.mark.parametrize("example", [PLAIN, RECONSTRUCTED, WITH_SAMPLES, CURVE, replace(CURVE, samples=None)])
def test_all_parts_of_an_example_are_drawn(example: Example) -> None:
    drawn = imread(io.BytesIO(draw_examples([example, replace(example, score=2.0)])))
    assert drawn.std() > 0.05
    for name in ("features", "reconstruction", "samples"):
        values = getattr(example, name)
        if values is not None:
            # Not a constant, which would not change colours.
            other = replace(example, **{name: values + np.linspace(-3.0, 3.0, values.shape[-1], dtype=np.float32)})
            again = imread(io.BytesIO(draw_examples([other, replace(other, score=2.0)])))
            assert again.shape == drawn.shape
            assert np.abs(again - drawn).max() > 0.1, name


def test_silence_and_a_constant_window_are_drawn() -> None:
    flat = replace(WITH_SAMPLES, features=window(0.0), reconstruction=window(0.0), samples=np.zeros(100, np.float32))
    assert draw_examples([flat])


def test_more_panels_are_drawn_with_more_data() -> None:
    sizes = [imread(io.BytesIO(draw_examples([one]))).shape[1] for one in (PLAIN, RECONSTRUCTED, WITH_SAMPLES)]
    assert sizes == sorted(set(sizes))
