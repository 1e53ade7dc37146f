"""The threshold rule that keeps a promise: blocks ranked against what the device sounded like.

A block is a minute of heard sound. Two things of it are judged as it runs, each against the same of earlier blocks:

* its **peak**, the largest confirmed score (the m-th largest of the last n), for what is short;
* its **level**, max over t of the sum up to t of min(score - location, ceiling) * duration / minute, for what
  lasts. One short event cannot raise it far: scores are cut at the ceiling, one and a half times a block's usual peak.

Both are compared with the k-th largest of the reference (:mod:`processors.core.threshold.tail_extrapolation`). For
exchangeable blocks that keeps the promise whatever the scores' law (Vovk, Gammerman and Shafer, Algorithmic Learning in
a Random World, 2005).

Time is heard sound in nanoseconds: every score says how much new sound it brings. Gaps, sessions and a device's clock
have no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from processors.core.threshold.block_state import BlockAccumulator, BlockState, Decision
from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_HOUR, Plan
from processors.core.threshold.episode import HOUR_NS, ClosedEpisode, Episode
from processors.core.threshold.limits import FAR, UNKNOWN, Prior, limits_of
from processors.core.threshold.reference import Block, accept, end_hour, seeded
from processors.core.threshold.reference_update import enter, forget_recent, standing
from processors.core.threshold.warm_up import WarmUp, end_block, first_limits, heard, is_due, with_chance

# A third of the time that a named tuple's own constructor takes; once a score it matters.
_new = tuple.__new__
_QUIET = tuple(Decision._field_defaults.values())


@dataclass(frozen=True, slots=True)
class BlockRule:
    """Thresholds of one detector on one device.

    Attributes:
        plan: the promise and its arithmetic.
        prior: what stands in until the device has been heard.
        confirm: scores above the threshold that make an exceedance,
        among: out of this many latest, 1 to 16.
        release_ns: quiet heard time that closes an episode of peaks; one of levels closes after a quiet block.
        hysteresis: a score counts as quiet when it lies this share of the distance under the threshold, 0 to 1.
        cooldown_ns: heard time after an episode in which a peak alone opens none.
        guard_ns: heard time after an episode in which nothing is learned.
        budget: alerts raised within a day of heard sound at most.
    """

    plan: Plan
    prior: Prior = UNKNOWN
    confirm: int = 1
    among: int = 1
    release_ns: int = 15_000_000_000
    hysteresis: float = 0.1
    cooldown_ns: int = BLOCK_NS
    guard_ns: int = 5 * BLOCK_NS
    budget: int = 10

    def begin(self) -> BlockState:
        """The state of a device never heard."""
        return BlockState(limits=first_limits(WarmUp(), self.plan, self.prior))

    def step(
        self, state: BlockState, score: float, step_ns: int, *, fresh: bool = False
    ) -> tuple[BlockState, Decision]:
        """One score later.

        Args:
            state: before.
            score: of a window, finite.
            step_ns: new sound the window brings, ns: its hop; above 0, at most a block.
            fresh: whether the window is the first of a session or after a gap: confirmation begins anew.

        Returns:
            The state after, and what was decided and why.
        """
        version, run, limits, early, reference, book, regime, shelf, previous = state
        heard_ns, filled_ns, total, highest, square, peak, tainted, recent = run
        now, filled = heard_ns + step_ns, filled_ns + step_ns
        confirmed = score
        if self.among > 1:
            recent = ((score,) if fresh else (*recent, score))[-self.among :]
            confirmed = sorted(recent)[-self.confirm] if len(recent) >= self.confirm else -FAR
        else:
            recent = ()
        location, ceiling, peak_limit, level_limit, _, _, _ = limits
        r, top = score - location, confirmed - location
        cut = r if r < ceiling else ceiling
        total += cut * step_ns
        level = total / BLOCK_NS
        highest = level if level > highest else highest
        peak = top if top > peak else peak
        square += cut * cut * step_ns
        busy = top > peak_limit or level > level_limit or book.open is not None
        run = _new(BlockAccumulator, (now, filled, total, highest, square, peak, tainted or busy, recent))
        decision = _new(Decision, (score, confirmed, level, limits, now // BLOCK_NS, *_QUIET))
        # As `_commission` would, without building the state three times: the whole of a device's first hour.
        if early is not None and not busy and now >= book.hold_ns:
            before, early = early, heard(early, location + peak_limit, score, confirmed, step_ns)
            if is_due(early, before):
                limits = first_limits(early, self.plan, self.prior)
            after = _new(BlockState, (version, run, limits, early, reference, book, regime, shelf, previous))
        else:
            after = _new(BlockState, (version, run, limits, early, reference, book, regime, shelf, previous))
            if busy:
                after, decision = self._judge(after, decision, top, step_ns)
            if after.early is not None:
                after, decision = self._commission(after, after.early, decision, step_ns)
        if filled >= BLOCK_NS:
            after, decision = self._end_block(after, decision)
        return after, decision

    def refreshed(self, state: BlockState) -> BlockState:
        """The state with limits that follow from its reference."""
        if state.reference is None:
            return state._replace(limits=first_limits(state.early or WarmUp(), self.plan, self.prior))
        return state._replace(limits=limits_of(state.reference, self.plan, self.prior))

    def _judge(self, state: BlockState, decision: Decision, top: float, step_ns: int) -> tuple[BlockState, Decision]:
        """A score above a threshold, or in an episode."""
        book, limits, now = state.book, decision.limits, state.run.heard_ns
        by_level = decision.level > limits.level
        if (episode := book.open) is not None:
            return self._go_on(state, episode, decision, top, step_ns)
        if not by_level and now < book.cool_ns:
            return state, decision._replace(suppressed="cooldown")
        book, episode = book.begun("level" if by_level else "peak", now, top, decision.level, self.budget)
        early = None if state.early is None else state.early._replace(waiting=())
        decision = decision._replace(kind=episode.kind, episode=episode.number)
        decision = decision._replace(suppressed="budget") if episode.silent else decision._replace(alert="opens")
        return state._replace(book=book, early=early), decision

    def _go_on(
        self, state: BlockState, episode: Episode, decision: Decision, top: float, step_ns: int
    ) -> tuple[BlockState, Decision]:
        limits, now, share = decision.limits, state.run.heard_ns, 1.0 - self.hysteresis
        by_level = decision.level > limits.level
        again = top > limits.peak * share or decision.level > limits.level * share
        # The mean of at most the latest minute or so, of scores as they are: for the operator who calls them normal.
        weight = step_ns / min(BLOCK_NS, now - episode.opened_ns)
        episode = episode._replace(
            kind="level" if by_level else episode.kind,
            last_ns=now if again else episode.last_ns,
            shift=episode.shift + weight * (decision.score - limits.location - episode.shift),
            peak=max(episode.peak, top),
            level=max(episode.level, decision.level),
        )
        decision = decision._replace(kind=episode.kind, episode=episode.number, lasting=episode.lasting)
        over = now - episode.last_ns >= (BLOCK_NS if episode.kind == "level" else self.release_ns)
        if not episode.silent:
            decision = decision._replace(alert="closes" if over else "open")
        else:
            decision = decision._replace(suppressed="budget")
        if over:
            return self._close(state, episode), decision
        return state._replace(book=state.book._replace(open=episode)), decision

    def _close(self, state: BlockState, episode: Episode) -> BlockState:
        book, now = state.book, state.run.heard_ns
        peak = episode.peak if episode.peak > state.limits.peak else None
        level = episode.level if episode.level > state.limits.level else None
        likely = not episode.lasting and not book.repeated(episode.opened_ns, self.plan.repeats)
        enters = episode.judgement == "false-alarm" or (likely and episode.judgement != "real")
        past = ClosedEpisode(episode.number, episode.opened_ns, peak, level)
        early, reference = state.early, state.reference
        if reference is not None:
            if enters:
                clipped = episode.judgement != "false-alarm"
                reference, peak, level = enter(reference, self.plan, peak, level, clipped=clipped)
                past = past._replace(entered_peak=peak, entered_level=level)
            elif episode.lasting:
                reference = forget_recent(reference)
                book = standing(reference, book)
        elif early is not None and episode.kind == "peak" and episode.judgement != "real":
            # What chance brings is not yet known, so that short and lasting cannot be told apart.
            early = with_chance(early, state.limits, episode.peak)
        # A device in its first minutes has no five minutes to spare.
        book = book.closed(past, now + min(self.guard_ns, now // 4), now + self.cooldown_ns)
        return self.refreshed(state._replace(book=book, early=early, reference=reference))

    def _commission(
        self, state: BlockState, early: WarmUp, decision: Decision, step_ns: int
    ) -> tuple[BlockState, Decision]:
        book, now = state.book, state.run.heard_ns
        if book.open is None and now >= book.hold_ns:
            limits = decision.limits
            after = heard(early, limits.location + limits.peak, decision.score, decision.confirmed, step_ns)
            state = state._replace(early=after)
            return (self.refreshed(state) if is_due(after, early) else state), decision
        early = early._replace(passed_ns=early.passed_ns + step_ns)
        if not early.outweighed:
            return state._replace(early=early), decision
        if (episode := book.open) is not None:
            book = book.closed(ClosedEpisode(episode.number, episode.opened_ns, None, None), now, now)
            decision = decision._replace(alert="none" if episode.silent else "closes")
        return self.refreshed(state._replace(early=WarmUp(), book=book._replace(hold_ns=now))), decision

    def _end_block(self, state: BlockState, decision: Decision) -> tuple[BlockState, Decision]:
        run, book, early, reference = state.run, state.book, state.early, state.reference
        mean = run.total / run.filled_ns
        # A block of gaps may hold no confirmed score.
        clean = not run.tainted and run.peak > -FAR
        if early is not None:
            early = end_block(early, clean=clean)
            if len(early.blocks) == BLOCKS_PER_HOUR:
                reference = seeded(early.blocks, early.spread)
                early = None
            state = self.refreshed(state._replace(early=early, reference=reference))
        elif reference is not None and clean:
            hour = accept(reference.hour, Block(mean, run.square / run.filled_ns, run.peak, run.level))
            reference = reference._replace(hour=hour)
            if hour.n == BLOCKS_PER_HOUR:
                drifting = reference.drifting
                days, ready, left_out = reference.days, reference.ready, reference.left_out
                reference = end_hour(reference, self.plan)
                if reference.left_out and not left_out:
                    book = standing(reference, book)
                decision = decision._replace(drift=reference.drifting and not drifting)
                state = state._replace(reference=reference)
                if ready and reference.days is days and self.prior.low <= -FAR:
                    # Only the location has moved; ranking the whole reference anew would find the same.
                    here = state.limits._replace(location=reference.location, ceiling=reference.ceiling)
                    state = state._replace(limits=here)
                else:
                    state = self.refreshed(state)
            else:
                state = state._replace(reference=reference)
        if book.suppressed and run.heard_ns >= book.told_ns:
            decision = decision._replace(told=book.suppressed)
            book = book._replace(suppressed=0, told_ns=run.heard_ns + HOUR_NS)
        held = run.heard_ns < book.hold_ns
        empty = BlockAccumulator(heard_ns=run.heard_ns, tainted=held, recent=run.recent)
        return state._replace(run=empty, book=book), decision
