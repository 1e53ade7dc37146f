"""Windows to look at: which are chosen, and that what they hold is drawn."""

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


def look(title: str, score: float, heard: np.ndarray) -> Example:
    return Example(title, score, heard)


def test_the_lowest_and_the_highest_of_each_group_are_taken() -> None:
    groups = {
        "normal": [(np.stack([window(1), window(2)]), np.array([3.0, 0.5])), (window(3)[None], np.array([9.0]))],
        "leak": [(np.stack([window(4), window(5)]), np.array([7.0, np.nan]))],
    }
    chosen = best_and_worst(groups, look)
    assert [(one.title, one.score, float(one.heard[0, 0])) for one in chosen] == [
        ("normal, lowest", 0.5, 2.0),
        ("normal, highest", 9.0, 3.0),
        ("leak", 7.0, 4.0),
    ]
    assert best_and_worst({"nothing": []}, look) == ()


RNG = np.random.default_rng(3)
PLAIN = Example("normal, lowest", 1.0, RNG.normal(size=(20, 16)).astype(np.float32))
BOTH = replace(PLAIN, rebuilt=np.zeros((20, 16), np.float32), seconds=2.0)
HEARD = replace(BOTH, sound=RNG.normal(size=4_000).astype(np.float32), sample_rate=8_000)
CURVE = replace(HEARD, heard=HEARD.heard[:1], rebuilt=np.zeros((1, 16), np.float32))


@pytest.mark.parametrize("example", [PLAIN, BOTH, HEARD, CURVE, replace(CURVE, sound=None)])
def test_everything_there_is_of_a_window_is_drawn(example: Example) -> None:
    drawn = imread(io.BytesIO(draw_examples([example, replace(example, score=2.0)])))
    assert drawn.std() > 0.05
    for name in ("heard", "rebuilt", "sound"):
        values = getattr(example, name)
        if values is not None:
            # Not by a constant alone, which no colour would tell.
            other = replace(example, **{name: values + np.linspace(-3.0, 3.0, values.shape[-1], dtype=np.float32)})
            again = imread(io.BytesIO(draw_examples([other, replace(other, score=2.0)])))
            assert again.shape == drawn.shape
            assert np.abs(again - drawn).max() > 0.1, name


def test_silence_and_a_window_of_one_value_are_drawn() -> None:
    flat = replace(HEARD, heard=window(0.0), rebuilt=window(0.0), sound=np.zeros(100, np.float32))
    assert draw_examples([flat])


def test_more_is_drawn_where_more_is_known() -> None:
    sizes = [imread(io.BytesIO(draw_examples([one]))).shape[1] for one in (PLAIN, BOTH, HEARD)]
    assert sizes == sorted(set(sizes))
