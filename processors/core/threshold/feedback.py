"""Operator feedback applied to the rule's state: judgements of episodes, and "this is normal"."""

from __future__ import annotations

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, Location
from processors.core.threshold.episode import ClosedEpisode, Judgement
from processors.core.threshold.reference_update import enter_episode, withdraw_episode


def apply_judgement(rule: BlockRule, state: BlockState, episode: int, judgement: Judgement) -> BlockState:
    """Enters a false alarm's values into the reference unclipped; withdraws those of a real alert.

    The last judgement of an episode counts. One of an episode no longer in the log changes nothing.

    Args:
        rule: of the device and detector.
        state: before.
        episode: its number, as in the decisions.
        judgement: the operator's.
    """
    log = state.episodes
    if log.current is not None and log.current.number == episode:
        return state._replace(episodes=log._replace(current=log.current._replace(judgement=judgement)))
    closed = next((closed for closed in log.closed if closed.number == episode), None)
    if closed is None or state.reference is None:
        return state
    reference = withdraw_episode(state.reference, closed)
    judged = closed._replace(entered_peak=None, entered_level=None)
    if judgement == "false-alarm":
        reference, peak, level = enter_episode(reference, rule.plan, closed.peak, closed.level, clipped=False)
        judged = closed._replace(entered_peak=peak, entered_level=level)
    log = log._replace(closed=tuple(judged if one.number == episode else one for one in log.closed))
    return rule.refresh_limits(state._replace(episodes=log, reference=reference))


def accept_as_normal(rule: BlockRule, state: BlockState) -> BlockState:
    """Applies "this is normal": the scores of the current episode become the device's usual scores.

    Without a current episode the location becomes the baseline that drift is measured from.
    """
    reference, episode = state.reference, state.episodes.current
    if reference is None:
        return state
    before = Location(reference.location, reference.baseline, reference.last_day_location)
    if episode is None:
        after = reference._replace(baseline=reference.location, drifting=False, steady_days=0)
        return state._replace(reference=after, previous_location=before)
    location = reference.location + episode.location_shift
    after = reference._replace(
        location=location, baseline=location, last_day_location=location, drifting=False, steady_days=0
    )
    now = state.block.observed_ns
    closed = ClosedEpisode(episode.number, episode.opened_ns, None, None)
    episodes = state.episodes.close_episode(closed, now + rule.guard_ns, now)
    return rule.refresh_limits(
        state._replace(block=_excluded_block(state), reference=after, previous_location=before, episodes=episodes)
    )


def undo_acceptance(rule: BlockRule, state: BlockState) -> BlockState:
    """Undoes "this is normal": restores the location from before."""
    reference, before = state.reference, state.previous_location
    if reference is None or before is None:
        return state
    after = reference._replace(
        location=before.location, baseline=before.baseline, last_day_location=before.last_day_location
    )
    return rule.refresh_limits(state._replace(block=_excluded_block(state), reference=after, previous_location=None))


def _excluded_block(state: BlockState) -> BlockAccumulator:
    """A new block, excluded from the reference."""
    block = state.block
    return BlockAccumulator(observed_ns=block.observed_ns, excluded=True, recent_scores=block.recent_scores)
