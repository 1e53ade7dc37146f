"""Regimes: a device that works in several ways, each with a reference of its own."""

from __future__ import annotations

from collections.abc import Callable

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, InactiveRegime
from processors.core.threshold.warm_up import WarmUp

_MOST_DAYS = 60


def most_regimes(rule: BlockRule) -> int:
    """How many regimes fit into a state of 8 KB: three, or fewer where the reference is long."""
    return max(1, min(3, _MOST_DAYS // rule.plan.days))


def entered(
    rule: BlockRule, state: BlockState, regime: str, foreign: Callable[[str], bool] = lambda _: False
) -> BlockState:
    """The state as a device goes on in the regime ``regime``: an hour-of-day band, or what its producer sends.

    The minute under way is given up; each regime keeps the promise for its own minutes. An open episode stays open.
    Sound under more regimes than :func:`most_regimes` is judged in the regime heard last, unless one of those known is
    ``foreign``, of an earlier policy: then the new one takes its place.
    """
    if regime == state.regime:
        return state
    found = next((shelf for shelf in state.shelf if shelf.regime == regime), None)
    if found is None:
        found = InactiveRegime(regime, WarmUp(), None, None)
    left = InactiveRegime(state.regime, state.early, state.reference, state.previous)
    shelf = (*(one for one in state.shelf if one.regime != regime), left)
    if len(shelf) >= most_regimes(rule):
        shelf = tuple(one for one in shelf if not foreign(one.regime))
        if len(shelf) >= most_regimes(rule):
            return state
    run = BlockAccumulator(heard_ns=state.run.heard_ns, tainted=state.book.open is not None)
    return rule.refreshed(
        state._replace(
            run=run, early=found.early, reference=found.reference, previous=found.previous, regime=regime, shelf=shelf
        )
    )
