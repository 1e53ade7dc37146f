"""Model handover: with any changes at any time there is no gap, and each window end is counted once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.audio.mel import normalise_level
from processors.core.audio.recording import rows_of, windows_of
from processors.core.models.model import ModelSet, Slot
from processors.core.windowing.device_stream import DeviceStream
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.window import Window
from schemas.chunk import Chunk
from schemas.features import FeatureSpec
from tests.unit.core.models import FakeModel

RATE = 16_000
CHAMPION, SHADOW = Slot("machine", "champion"), Slot("machine", "shadow")
SPECS = {
    "usual": FeatureSpec(n_frames=24, window_hop=12),
    "twin": FeatureSpec(n_frames=24, window_hop=12),
    "short": FeatureSpec(n_frames=6, window_hop=6),
    "long": FeatureSpec(n_frames=60, window_hop=10),
    "pooled": FeatureSpec(n_frames=4, window_hop=4, pool=8),
    "other-front": FeatureSpec(n_frames=20, window_hop=20, hop=400, n_mels=32),
    "slower": FeatureSpec(n_frames=12, window_hop=6, sample_rate=8_000, fmax=4_000),
}
MODELS = {name: FakeModel(name, spec) for name, spec in SPECS.items()}
SOUND = np.random.default_rng(11).normal(0, 3_000, 5 * RATE).astype(np.int16)
STEP = 2_000
CHUNKS = len(SOUND) // STEP


def chunk(number: int) -> Chunk:
    pcm = SOUND[number * STEP : (number + 1) * STEP].tobytes()
    return Chunk("d", "s", number, number * STEP, RATE, 1, 0, pcm)


def stream(model_sets: Mapping[int, ModelSet], first: int = 0) -> list[Window]:
    """Windows of the sound, with a new model set before each of the named chunks."""
    before = [at for at in model_sets if at <= first]
    device, extractor, windows = DeviceStream("d", model_sets[max(before)]), Extractor(), []
    for number in range(first, CHUNKS):
        if number in model_sets:
            device.set_models(model_sets[number])
        device.admit(chunk(number))
        assert device.segment is not None
        windows += extractor.extract([(device.segment, chunk(number), number)])
    return windows


def ends(windows: list[Window]) -> list[int]:
    return [window.end_sample for window in windows]


names = st.sampled_from(list(MODELS))


@settings(max_examples=50, deadline=None)
@given(start=names, changes=st.dictionaries(st.integers(1, CHUNKS - 1), names, max_size=6))
def test_no_gap_no_repeated_end_and_each_window_is_its_models_own(start: str, changes: dict[int, str]) -> None:
    model_sets: dict[int, ModelSet] = {at: {CHAMPION: MODELS[name]} for at, name in {0: start, **changes}.items()}

    windows = stream(model_sets)

    assert windows[0].first_sample == 0
    for before, after in itertools.pairwise(windows):
        assert before.end_sample < after.end_sample
        assert after.first_sample <= before.end_sample, "a gap"
        if before.model.spec == after.model.spec:
            hop = after.model.spec.window_hop * after.model.spec.pool * after.model.spec.hop
            assert after.first_sample - before.first_sample == hop * RATE // after.model.spec.sample_rate
    for model in {window.model.ref.sha256: window.model for window in windows}.values():
        spec = model.spec
        whole = windows_of(rows_of(SOUND, RATE, spec), spec)
        mine = [window for window in windows if window.model is model]
        hop = spec.window_hop * spec.pool * spec.hop * RATE // spec.sample_rate
        got = normalise_level(np.stack([window.rows for window in mine]), spec)
        np.testing.assert_allclose(got, whole[[window.first_sample // hop for window in mine]], atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(changes=st.dictionaries(st.integers(1, CHUNKS - 1), st.sampled_from(["usual", "twin"]), max_size=6))
def test_models_with_the_same_windows_change_between_two_of_them(changes: dict[int, str]) -> None:
    plain = stream({0: {CHAMPION: MODELS["usual"]}})

    windows = stream({at: {CHAMPION: MODELS[name]} for at, name in {0: "usual", **changes}.items()})

    assert [window.first_sample for window in windows] == [window.first_sample for window in plain]
    for window in windows:
        # A window that becomes whole in a chunk is scored by what holds from that chunk on.
        made_in = (window.end_sample - 1) // STEP
        name = [name for at, name in sorted({0: "usual", **changes}.items()) if at <= made_in][-1]
        assert window.model is MODELS[name]


@settings(max_examples=25, deadline=None)
@given(shadows=st.dictionaries(st.integers(0, CHUNKS - 1), st.one_of(st.none(), names), max_size=5))
def test_a_shadow_never_changes_the_champions_windows(shadows: dict[int, str | None]) -> None:
    alone = stream({0: {CHAMPION: MODELS["usual"]}})
    model_sets: dict[int, ModelSet] = {
        at: {CHAMPION: MODELS["usual"], **({} if name is None else {SHADOW: MODELS[name]})}
        for at, name in {0: None, **shadows}.items()
    }

    windows = stream(model_sets)

    champions = [window for window in windows if window.slot == CHAMPION]
    assert ends(champions) == ends(alone)
    for mine, theirs in zip(champions, alone, strict=True):
        np.testing.assert_array_equal(mine.rows, theirs.rows)
    assert all(
        window.model is not MODELS["usual"] or window.slot == CHAMPION or "usual" in shadows.values()
        for window in windows
    )


@settings(max_examples=25, deadline=None)
@given(at=st.integers(4, 22), name=names, stop=st.integers(5, CHUNKS - 15))
def test_a_restart_at_the_frontier_leaves_at_most_one_hop_at_the_seam(at: int, name: str, stop: int) -> None:
    """The new owner runs the new model alone, from the oldest chunk still needed."""
    model_sets: dict[int, ModelSet] = {0: {CHAMPION: MODELS["usual"]}, at: {CHAMPION: MODELS[name]}}
    device, extractor, before = DeviceStream("d", model_sets[0]), Extractor(), []
    for number in range(stop):
        if number in model_sets:
            device.set_models(model_sets[number])
        device.admit(chunk(number))
        assert device.segment is not None
        before += extractor.extract([(device.segment, chunk(number), number)])
    frontier = device.segment.frontier()

    after = stream(model_sets, CHUNKS if frontier is None else max(frontier, 0))

    end_before = before[-1].end_sample if before else 0
    fresh = [window for window in after if window.end_sample > end_before]
    assert fresh
    spec = fresh[0].model.spec
    hop = spec.window_hop * spec.pool * spec.hop * RATE // spec.sample_rate
    assert fresh[0].first_sample <= end_before + hop + STEP


def test_the_old_model_continues_until_the_first_long_window_is_complete() -> None:
    windows = stream({0: {CHAMPION: MODELS["short"]}, 20: {CHAMPION: MODELS["long"]}})

    last_old = max(window.end_sample for window in windows if window.model is MODELS["short"])
    first_new = next(window for window in windows if window.model is MODELS["long"])
    assert first_new.first_sample < last_old <= first_new.end_sample
    assert first_new.end_sample - last_old <= 6 * 320
    assert all(window.end_sample > last_old for window in windows if window.model is MODELS["long"])


def test_an_incoming_model_withdrawn_before_its_first_window_never_scores() -> None:
    model_sets = {0: {CHAMPION: MODELS["short"]}, 20: {CHAMPION: MODELS["long"]}, 22: {CHAMPION: MODELS["short"]}}

    assert {window.model.ref.version for window in stream(model_sets)} == {"short"}


def test_unused_streams_and_buffers_are_dropped() -> None:
    device, extractor = DeviceStream("d", {CHAMPION: MODELS["usual"], SHADOW: MODELS["other-front"]}), Extractor()
    model_sets: dict[int, ModelSet] = {
        10: {CHAMPION: MODELS["usual"], SHADOW: MODELS["pooled"]}, 25: {CHAMPION: MODELS["usual"]}
    }  # fmt: skip
    pools = []
    for number in range(30):
        if number in model_sets:
            device.set_models(model_sets[number])
        device.admit(chunk(number))
        assert device.segment is not None
        extractor.extract([(device.segment, chunk(number), number)])
        pools.append([sorted(stream._buffers) for stream in device.segment._streams.values()])

    assert (pools[9], pools[24], pools[29]) == ([[1], [1]], [[1, 8]], [[1]])
