"""The real-sound benchmark: its sound does not depend on the cuts, and alarms match the right events."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.real_sound.match import NO_EVENT, Alarm, DetectionLog, TimedEvent, figures_of
from benchmarks.real_sound.scene import APART_S, FADE_S, LEVEL_DB, Event, Loop, Once, Scene, level_of, sessions
from schemas.score import ModelRef, Score, ScoreExplanation

RATE = 8_000
MINUTE = 60 * RATE


def _clips(count: int, seconds: float = 2.0, size: float = 0.1) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.normal(0.0, size, int(seconds * RATE)).astype(np.float32) for _ in range(count)]


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _scene() -> Scene:
    fault = Loop(_clips(2, size=0.4), RATE, 4 * RATE, 9)
    tone = np.full(RATE, 0.5, dtype=np.float32)
    events = [
        Event("fault", True, 20 * RATE, 24 * RATE, fault, replaces=True),
        Event("bell", False, 40 * RATE, 41 * RATE, Once(tone)),
    ]
    return Scene(Loop(_clips(5), RATE, 10 * MINUTE, 1), events, RATE, 10 * MINUTE, 2)


def test_a_loop_is_as_loud_as_its_recordings_without_holes_at_the_joins() -> None:
    sound = Loop(_clips(5), RATE, MINUTE, 1).at(0, MINUTE)
    pieces = sound.reshape(-1, RATE // 50)
    assert _rms(sound) == pytest.approx(0.1, rel=0.03)
    assert min(_rms(piece) for piece in pieces) > 0.06
    assert max(_rms(piece) for piece in pieces) < 0.15


def test_the_seed_decides_the_order_of_a_loop() -> None:
    clips = _clips(5)
    one, same, other = (Loop(clips, RATE, MINUTE, seed).at(0, MINUTE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_recording_is_mixed_with_its_own_echo(count: int) -> None:
    loop = Loop(_clips(count, seconds=5.0), RATE, 60 * MINUTE, 7)
    mixed = [piece for piece in loop._pieces if piece[5]]
    assert mixed
    for one, cut, other, other_cut, _, _ in mixed:
        assert one != other or (count == 1 and abs(cut - other_cut) >= APART_S * RATE)


def test_a_scene_does_not_depend_on_the_cuts() -> None:
    scene = _scene()
    cuts = [0, 7, 20 * RATE - 3, 20 * RATE + 11, 24 * RATE - 5, 40 * RATE + 77, MINUTE]
    pieces = np.concatenate([scene.at(start, stop) for start, stop in pairwise(cuts)])
    np.testing.assert_allclose(pieces, scene.at(0, MINUTE), atol=1e-6)


def test_a_fault_replaces_the_usual_sound_and_a_bell_is_added() -> None:
    scene = _scene()
    quiet = Scene(Loop(_clips(5), RATE, 10 * MINUTE, 1), [], RATE, 10 * MINUTE, 2)
    mixed, usual = scene.at(0, MINUTE), quiet.at(0, MINUTE)
    fade = int(FADE_S * RATE)
    inside = slice(20 * RATE + fade, 24 * RATE - fade)
    assert _rms(mixed[inside]) / _rms(usual[inside]) == pytest.approx(4.0, rel=0.05)
    assert abs(np.corrcoef(mixed[inside], usual[inside])[0, 1]) < 0.05
    bell = slice(40 * RATE, 41 * RATE)
    added = mixed[bell] - usual[bell]
    assert added.std() < 0.05 * added.mean()
    outside = np.r_[0 : 20 * RATE, 24 * RATE : 40 * RATE, 41 * RATE : MINUTE]
    np.testing.assert_array_equal(mixed[outside], usual[outside])


def test_the_level_drifts_within_its_bounds_over_minutes() -> None:
    n = 120 * MINUTE
    scene = Scene(Once(np.ones(n, dtype=np.float32)), [], RATE, n, 3)
    levels = 20.0 * np.log10([scene.at(at, at + 1)[0] for at in range(0, n, RATE)])
    assert np.abs(levels).max() <= LEVEL_DB
    assert np.ptp(levels) > LEVEL_DB
    assert np.abs(np.diff(levels)).max() <= 2 * LEVEL_DB / 120.0 + 1e-3


def test_sessions_are_contiguous() -> None:
    parts = sessions(600 * MINUTE, RATE, 4)
    assert parts[0][0] == 0
    assert parts[-1][1] == 600 * MINUTE
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]
    assert all(20 * MINUTE <= end - start <= 120 * MINUTE for start, end in parts[:-1])
    assert len(parts) > 4


def test_silence_around_a_sound_does_not_change_its_level() -> None:
    sound = _clips(1)[0]
    padded = np.concatenate([np.zeros(4 * RATE, np.float32), sound, np.zeros(RATE, np.float32)])
    assert level_of(padded, RATE) == pytest.approx(level_of(sound, RATE), rel=1e-3)


def _score(end_s: float, episode: int, suppressed: str = "", kind: str = "peak") -> Score:
    explanation = ScoreExplanation(
        confirmed=1.0,
        level=0.0,
        level_threshold=None,
        p_value=0.5,
        reference_blocks=1,
        block=0,
        calibration_progress=0.1,
        kind=kind if episode else "",
        episode=episode,
        suppressed=suppressed,
        false_alarms_per_week=1.0,
    )
    return Score(
        device_id="d",
        detector="machine",
        session_id="s",
        first_sample=int(end_s * RATE) - RATE,
        n_samples=RATE,
        sample_rate=RATE,
        captured_ns=0,
        score=end_s,
        threshold=5.0,
        exceeds=False,
        threshold_state="calibrating",
        level_dbfs=-30.0,
        model=ModelRef(name="m", version="1", sha256="a"),
        explanation=explanation,
    )


def test_a_log_counts_an_episode_once_and_marks_those_over_budget() -> None:
    log = DetectionLog()
    for end_s, episode, suppressed in [(1, 0, ""), (2, 1, ""), (3, 1, ""), (4, 0, ""), (5, 2, "budget"), (6, 3, "")]:
        log.add(_score(end_s, episode, suppressed, "level" if episode == 3 else "peak"), 100.0)
    assert log.alarms == [
        Alarm(102.0, 103.0, alerted=True),
        Alarm(105.0, 105.0, alerted=False),
        Alarm(106.0, 106.0, alerted=True, by_level=True),
    ]


EVENTS = [
    TimedEvent("scream", True, 100.0, 103.0),
    TimedEvent("dog", False, 200.0, 205.0),
    TimedEvent("scream", True, 300.0, 303.0),
    TimedEvent("dog", False, 90_000.0, 90_005.0),
]


def test_alarms_are_matched_to_events() -> None:
    log = DetectionLog(
        times=[50.0, 101.0, 102.0, 301.0],
        scores=[0.0, 8.0, 9.0, 1.0],
        thresholds=[5.0, 5.0, 5.0, 6.0],
        alarms=[
            Alarm(101.5, 102.0, alerted=True),
            Alarm(104.9, 104.9, alerted=False),
            Alarm(105.1, 105.1, alerted=True),
            Alarm(201.0, 201.0, alerted=False),
            Alarm(299.0, 304.0, alerted=True),
            Alarm(90_001.0, 90_002.0, alerted=True),
        ],
    )
    figures = figures_of(log, EVENTS, 2.0, 48.0)
    scream = figures["wanted"]["scream"]
    assert (scream["events"], scream["found"], scream["alerts"], scream["open_before"]) == (2, 1, 1, 1)
    assert scream["median_delay_s"] == 1.5
    assert scream["median_score"] == 8.0
    assert scream["median_threshold"] == 5.5
    false = figures["false_alarms"]
    assert false["by"] == {NO_EVENT: 2, "dog": 2}
    assert false["first_24_h_a_day"] == {"alarms": 3.0, "alerts": 2.0}
    assert false["after_a_day"] == {"alarms": 1.0, "alerts": 1.0}
    assert false["without_event_a_day"] == {"alarms": 1.0, "alerts": 1.0}
    assert figures["harmless"] == {"dog": [2, 2]}
    assert figures["found_by_hour"] == {"0 to 6 h": [1, 2]}
    assert figures["threshold_by_hour"] == {"0": 5.0}


def test_rates_of_less_than_a_day_are_scaled() -> None:
    log = DetectionLog(alarms=[Alarm(10.0, 11.0, alerted=True)])
    false = figures_of(log, EVENTS[:1], 2.0, 6.0)["false_alarms"]
    assert false["first_24_h_a_day"] == {"alarms": 4.0, "alerts": 4.0}
    assert false["after_a_day"] is None
