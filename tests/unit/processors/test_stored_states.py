"""States as they are kept: at most 8 KB whatever a device has been through, and read back as they were."""

from __future__ import annotations

import secrets
import zlib

import numpy as np
import pytest

from processors.adapters.redis.state_codec import StateTexts, packed, unpacked
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Position
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, InactiveRegime, Location
from processors.core.threshold.budget import BLOCKS_PER_DAY, READY_DAYS, plan
from processors.core.threshold.episode import ClosedEpisode
from processors.core.threshold.limits import UNKNOWN
from processors.core.threshold.reference import MERGED, BlockMaxima, Reference, rounded
from processors.core.threshold.regime import most_regimes

MOST = 8_192
PLACE = Location(-12.345678, -12.345678, -12.345678)


def largest(rng: np.random.Generator, n: int) -> tuple[float, ...]:
    """Values of five digits that have nothing in common."""
    return tuple(sorted((rounded(value) for value in 10.0 ** rng.uniform(-1.0, 2.0, n)), reverse=True))


def reference(rng: np.random.Generator, rule: BlockRule, *, ready: bool) -> Reference:
    """The longest there is: every day, quarantine, and a day and an hour that are nearly over."""
    tops, n = rule.plan.tops, rule.plan.days if ready else READY_DAYS - 1
    days = [BlockMaxima(BLOCKS_PER_DAY, largest(rng, tops), largest(rng, tops // 2)) for _ in range(n + 1)]
    if not ready:
        # All that are ranked are of one day.
        days[1] = BlockMaxima(BLOCKS_PER_DAY, largest(rng, MERGED), largest(rng, MERGED))
        tops = MERGED
    sums = rng.uniform(1.0, 100.0, 3).tolist()
    return Reference(
        location=-12.345678,
        spread=1.2345,
        ceiling=12.345,
        days=tuple(days[1:]),
        waiting=days[0],
        today=BlockMaxima(1_380, largest(rng, tops), largest(rng, tops)),
        hour=BlockMaxima(59, largest(rng, MERGED), largest(rng, MERGED), *sums),
        baseline=-12.345678,
        day_location=-276.123456,
        day_hours=23,
        last_day=-12.345678,
        steady=123,
    )


def memory(rng: np.random.Generator, rule: BlockRule, *, ready: bool) -> BlockState:
    """Of every regime that there may be, with as many episodes as are remembered."""
    shelf = [
        InactiveRegime(f"regime-{i}", None, reference(rng, rule, ready=ready), PLACE)
        for i in range(most_regimes(rule) - 1)
    ]
    past = [ClosedEpisode(1_000 + i, int(rng.integers(10**16)), *largest(rng, 4)) for i in range(16)]
    run = BlockAccumulator(10**16, 59 * 10**9, *rng.uniform(0.0, 1e11, 4).tolist(), recent=largest(rng, 16))
    state = rule.begin()._replace(early=None, reference=reference(rng, rule, ready=ready), shelf=tuple(shelf), run=run)
    book = state.book._replace(numbers=1_016, past=tuple(past), hold_ns=10**16, cool_ns=10**16, spent_ns=10**16)
    return rule.refreshed(state._replace(book=book, previous=PLACE, regime="regime-9"))


def swapped(per_week: float, *, ready: bool = True) -> DetectorState:
    """After a change of model, both models having been heard for as long as they remember, or for nearly a week."""
    rng, rule = np.random.default_rng(5), BlockRule(plan(per_week))
    now, before = (
        ModelCalibration(secrets.token_hex(32), memory(rng, rule, ready=ready), UNKNOWN, per_week) for _ in range(2)
    )
    return DetectorState(
        position=Position(secrets.token_hex(16), 10**12),
        past_sessions=tuple(secrets.token_hex(16) for _ in range(16)),
        learned=now,
        previous=before._replace(rule=before.rule.packed()),
        last_feedback_offset=10**9,
    )


@pytest.mark.parametrize("per_week", [0.25, 0.5, 0.84, 1.0, 1.17, 2.0, 28.0])
@pytest.mark.parametrize("ready", [True, False])
def test_no_state_takes_more_than_8_kb(per_week: float, *, ready: bool) -> None:
    state = swapped(per_week, ready=ready)
    body = packed(StateTexts().of(("d1", "machine"), state))

    assert len(body) <= MOST
    assert unpacked(body) == state


def test_what_fits_is_kept_as_text_and_what_does_not_is_deflated() -> None:
    texts = (swapped(1.0).model_dump_json(), DetectorState(last_feedback_offset=7).model_dump_json())
    long, short = (packed(text) for text in texts)

    assert zlib.decompress(long).decode() == texts[0]
    assert short.decode() == texts[1]
    assert packed(f'{{"{"x" * (MOST - 4)}"}}').startswith(b"{")
    assert not packed(f'{{"{"x" * (MOST - 3)}"}}').startswith(b"{")


def test_states_stored_as_text_before_are_read_however_long_they_are() -> None:
    state = swapped(1.0)
    text = state.model_dump_json().encode()

    assert len(text) > MOST
    assert unpacked(text) == state


@pytest.mark.parametrize(
    "body", [b"", b"{nonsense", b"nonsense", zlib.compress(b"nonsense"), zlib.compress(b"{}" * 9)[:-5]]
)
def test_what_is_no_state_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"nonsense|JSON"):
        unpacked(body)
