"""Operating regimes: a device with several has a reference for each."""

from __future__ import annotations

from collections.abc import Callable

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, InactiveRegime
from processors.core.threshold.warm_up import WarmUp

_MAX_REFERENCE_DAYS = 60


def max_regimes(rule: BlockRule) -> int:
    """The number of regimes that fit into a state of 8 KB: three, or fewer where the reference is long."""
    return max(1, min(3, _MAX_REFERENCE_DAYS // rule.plan.days))


def enter_regime(
    rule: BlockRule, state: BlockState, regime: str, is_obsolete: Callable[[str], bool] = lambda _: False
) -> BlockState:
    """Switches to the reference and limits of another regime.

    The current minute is discarded; each regime keeps the budget for its own minutes. A current episode stays open.
    With more regimes than :func:`max_regimes`, a new one is ignored and its audio counts for the current regime, unless
    a known regime is obsolete: then the new one replaces it.

    Args:
        rule: of the device and detector.
        state: before.
        regime: an hour-of-day band, or the regime that the producer reports.
        is_obsolete: whether a regime is of an earlier policy.
    """
    if regime == state.regime:
        return state
    found = next((inactive for inactive in state.inactive_regimes if inactive.regime == regime), None)
    if found is None:
        found = InactiveRegime(regime, WarmUp(), None, None)
    left = InactiveRegime(state.regime, state.warm_up, state.reference, state.previous_location)
    inactive_regimes = (*(one for one in state.inactive_regimes if one.regime != regime), left)
    if len(inactive_regimes) >= max_regimes(rule):
        inactive_regimes = tuple(one for one in inactive_regimes if not is_obsolete(one.regime))
        if len(inactive_regimes) >= max_regimes(rule):
            return state
    observed_ns, in_episode = state.block.observed_ns, state.episodes.current is not None
    return rule.refresh_limits(
        state._replace(
            block=BlockAccumulator(observed_ns=observed_ns, excluded=in_episode),
            warm_up=found.warm_up,
            reference=found.reference,
            previous_location=found.previous_location,
            regime=regime,
            inactive_regimes=inactive_regimes,
        )
    )
