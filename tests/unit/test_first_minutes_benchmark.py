"""The first-minutes benchmark: what it plays, and what it counts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from benchmarks.first_minutes.__main__ import figures_of
from benchmarks.first_minutes.devices import PlayedSound, factory, faulty, healthy
from benchmarks.first_minutes.table import of
from benchmarks.window_scores import WindowScores
from synthesis.factory import FAULT_ONSET
from synthesis.sound import SAMPLE_RATE


def test_alerts_are_due_from_the_fault_or_the_first_scream_on() -> None:
    due = {one.device.device_id: one.onset_s for one in factory(3) if one.device.expects_alert}

    assert due == {"motor-6": FAULT_ONSET, "hall-1": 45.0}
    assert healthy(1, 2).onset_s == math.inf
    assert faulty(1, 2, "leak").onset_s == FAULT_ONSET


def test_a_machine_with_a_fault_sounds_healthy_until_it_begins() -> None:
    one = faulty(1, 0, "leak").device
    before, after = (one.render(int(at * SAMPLE_RATE), SAMPLE_RATE) for at in (FAULT_ONSET - 2.0, FAULT_ONSET + 3.0))

    assert 1.2 < np.sqrt(np.mean(after**2) / np.mean(before**2)) < 1.7


def test_blocks_are_the_sound_in_order() -> None:
    one = healthy(1, 0).device
    blocks = list(PlayedSound(one, 40_000).blocks())

    assert [len(block.samples) for block in blocks] == [32_768, 7_232]
    np.testing.assert_allclose(blocks[1].samples[:, 0] / 32_768.0, one.render(32_768, 7_232), atol=1e-4)


def test_what_is_counted() -> None:
    faults = {"rub": [{"before": [], "after": [(3.0, "peak")]}, {"before": [(9.6, "peak")], "after": []}]}
    demos = [{"missed": [], "false": []}, {"missed": ["motor-6"], "false": ["fan-2"]}]
    found = figures_of([[[], [(19.2, "peak")]], [[], []]], faults, demos)

    assert found["healthy"]["alarmed"] == 1
    assert found["healthy"]["first_alarms"] == {"0.1": (19.2, "peak")}
    assert found["faults"]["rub"] == {
        "machines": 2,
        "found": 1,
        "false_before": 1,
        "median_delay_s": 3.0,
        "missed": [1],
    }
    assert found["demo"]["right"] == 1
    assert "seed 1: motor-6, fan-2" in of(found)


def test_window_scores_are_kept_unchanged(tmp_path: Path) -> None:
    scores = WindowScores(np.zeros(3, int), np.zeros(3, int), np.arange(3), np.array([0.1, 1.0 / 3.0, 2.0]), 100, 8_000)
    scores.save(tmp_path / "one.npz")
    again = WindowScores.load(tmp_path / "one.npz")

    np.testing.assert_array_equal(again.score, scores.score)
    assert (again.n_samples, again.rate) == (100, 8_000)
