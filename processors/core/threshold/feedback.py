"""What an operator says of an episode, and of a device's sound as a whole."""

from __future__ import annotations

from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.block_state import BlockAccumulator, BlockState, Location
from processors.core.threshold.episode import ClosedEpisode, Judgement
from processors.core.threshold.reference_update import enter, withdraw


def judged(rule: BlockRule, state: BlockState, episode: int, judgement: Judgement) -> BlockState:
    """The state after a verdict: a false alarm's values enter the reference as they are, a real one's leave it.

    The last verdict on an episode counts. An episode that is no longer remembered changes nothing.

    Args:
        rule: of the device and detector.
        state: before.
        episode: its number, as the decisions said.
        judgement: the operator's.
    """
    book = state.book
    if book.open is not None and book.open.number == episode:
        return state._replace(book=book._replace(open=book.open._replace(judgement=judgement)))
    past = next((past for past in book.past if past.number == episode), None)
    if past is None or state.reference is None:
        return state
    reference = withdraw(state.reference, past)
    entered = past._replace(entered_peak=None, entered_level=None)
    if judgement == "false-alarm":
        reference, peak, level = enter(reference, rule.plan, past.peak, past.level, clipped=False)
        entered = past._replace(entered_peak=peak, entered_level=level)
    books = book._replace(past=tuple(entered if one.number == episode else one for one in book.past))
    return rule.refreshed(state._replace(book=books, reference=reference))


def accepted(rule: BlockRule, state: BlockState) -> BlockState:
    """The operator's "this is normal": the sound of an open episode is the device's usual sound from now on.

    Without an open episode the location of today becomes the baseline that drift is told from.
    """
    reference, episode = state.reference, state.book.open
    if reference is None:
        return state
    before = Location(reference.location, reference.baseline, reference.last_day)
    if episode is None:
        after = reference._replace(baseline=reference.location, drifting=False, steady=0)
        return state._replace(reference=after, previous=before)
    location = reference.location + episode.shift
    after = reference._replace(location=location, baseline=location, last_day=location, drifting=False, steady=0)
    now = state.run.heard_ns
    book = state.book.closed(ClosedEpisode(episode.number, episode.opened_ns, None, None), now + rule.guard_ns, now)
    run = BlockAccumulator(heard_ns=now, tainted=True, recent=state.run.recent)
    return rule.refreshed(state._replace(run=run, reference=after, previous=before, book=book))


def rolled_back(rule: BlockRule, state: BlockState) -> BlockState:
    """The operator takes "this is normal" back: scores are expected again where they lay before."""
    reference, before = state.reference, state.previous
    if reference is None or before is None:
        return state
    after = reference._replace(location=before.location, baseline=before.baseline, last_day=before.last_day)
    run = BlockAccumulator(heard_ns=state.run.heard_ns, tainted=True, recent=state.run.recent)
    return rule.refreshed(state._replace(run=run, reference=after, previous=None))
