"""The threshold rule that keeps a false-alarm budget: blocks are ranked against the device's earlier blocks.

A block is a minute of observed audio. Two of its statistics are compared as it runs, each with those of earlier blocks:

* its **peak**, the largest confirmed score (the m-th largest of the last n), for short events;
* its **level**, max over t of the sum up to t of min(score - location, ceiling) * duration / minute, for lasting
  changes. One short event cannot raise it far: scores are clipped at the ceiling, 1.5 times a block's usual peak.
  With a model of the device's own the sum does not begin anew with each block, see
  :mod:`processors.core.threshold.own_limits`.

Both are compared with the k-th largest of the reference (:mod:`processors.core.threshold.tail_extrapolation`). For
exchangeable blocks that keeps the budget whatever the distribution of the scores (Vovk, Gammerman and Shafer,
Algorithmic Learning in a Random World, 2005).

Time is observed audio in nanoseconds: every score says how much new audio it brings. Gaps, sessions and a device's
clock do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

from processors.core.threshold.block_state import BlockAccumulator, BlockState, Decision
from processors.core.threshold.budget import BLOCK_NS, BLOCKS_PER_HOUR, BudgetPlan
from processors.core.threshold.episode import HOUR_NS, ClosedEpisode, Episode
from processors.core.threshold.limits import NO_PRIOR, UNREACHABLE, Prior, limits_of
from processors.core.threshold.own_limits import ALLOWANCE
from processors.core.threshold.reference import BlockSummary, add_block, end_hour, first_reference
from processors.core.threshold.reference_update import discard_recent, drop_discarded_entries, enter_episode
from processors.core.threshold.warm_up import (
    WarmUp,
    add_episode_peak,
    add_score,
    end_block,
    limits_are_due,
    warm_up_limits,
)

# A third of the time that a named tuple's own constructor takes; with every score it matters.
_new = tuple.__new__
_DEFAULTS = tuple(Decision._field_defaults.values())


@dataclass(frozen=True, slots=True)
class BlockRule:
    """Thresholds of one detector on one device.

    Attributes:
        plan: the budget and what follows from it.
        prior: what is known before the device is observed.
        min_confirmations: scores above the threshold that make an exceedance,
        window_count: out of this many latest, 1 to 16.
        release_ns: quiet observed time that closes an episode of peaks; one of levels closes after a quiet block.
        hysteresis: a score counts as quiet when it is this share of the distance below the threshold, 0 to 1.
        cooldown_ns: observed time after an episode in which a peak alone opens none.
        guard_ns: observed time after an episode in which nothing enters the reference.
        max_daily_alerts: alerts raised within a day of observed audio at most.
    """

    plan: BudgetPlan
    prior: Prior = NO_PRIOR
    min_confirmations: int = 1
    window_count: int = 1
    release_ns: int = 15_000_000_000
    hysteresis: float = 0.1
    cooldown_ns: int = BLOCK_NS
    guard_ns: int = 5 * BLOCK_NS
    max_daily_alerts: int = 10

    def begin(self) -> BlockState:
        """The state of a device that was never observed."""
        return BlockState(limits=warm_up_limits(WarmUp(), self.plan, self.prior))

    def step(
        self, state: BlockState, score: float, step_ns: int, *, after_gap: bool = False
    ) -> tuple[BlockState, Decision]:
        """Applies one score.

        Args:
            state: before.
            score: of a window, finite.
            step_ns: new audio the window brings, ns: its hop; above 0, at most a block.
            after_gap: whether the window is the first of a session or after a gap: confirmation starts over.

        Returns:
            The state after, and the decision with its reasons.
        """
        version, block, limits, warm_up, reference, episodes, regime, inactive_regimes, previous_location = state
        observed_ns, block_ns, clipped_sum, highest, square_sum, peak, excluded, recent_scores, carried = block
        now, block_ns = observed_ns + step_ns, block_ns + step_ns
        confirmed = score
        if self.window_count > 1:
            recent_scores = ((score,) if after_gap else (*recent_scores, score))[-self.window_count :]
            enough = len(recent_scores) >= self.min_confirmations
            confirmed = sorted(recent_scores)[-self.min_confirmations] if enough else -UNREACHABLE
        else:
            recent_scores = ()
        location, ceiling, peak_limit, level_limit, _, _, _ = limits
        distance, confirmed_distance = score - location, confirmed - location
        clipped = distance if distance < ceiling else ceiling
        clipped_sum += clipped * step_ns
        if self.prior.model_spread:
            carried += (clipped - ALLOWANCE * ceiling) * step_ns
            carried = carried if carried > 0.0 else 0.0
            level = carried / BLOCK_NS
        else:
            level = clipped_sum / BLOCK_NS
        highest = level if level > highest else highest
        peak = confirmed_distance if confirmed_distance > peak else peak
        square_sum += clipped * clipped * step_ns
        busy = confirmed_distance > peak_limit or level > level_limit or episodes.current is not None
        block = _new(
            BlockAccumulator,
            (now, block_ns, clipped_sum, highest, square_sum, peak, excluded or busy, recent_scores, carried),
        )
        decision = _new(Decision, (score, confirmed, level, limits, now // BLOCK_NS, *_DEFAULTS))
        # As `_warm_up` would, without building the state three times: the whole of a device's first hour.
        if warm_up is not None and not busy and now >= episodes.guard_until_ns:
            before, warm_up = warm_up, add_score(warm_up, location + peak_limit, score, confirmed, step_ns)
            if limits_are_due(warm_up, before):
                limits = warm_up_limits(warm_up, self.plan, self.prior)
            after = _new(
                BlockState,
                (version, block, limits, warm_up, reference, episodes, regime, inactive_regimes, previous_location),
            )
        else:
            after = _new(
                BlockState,
                (version, block, limits, warm_up, reference, episodes, regime, inactive_regimes, previous_location),
            )
            if busy:
                after, decision = self._exceed(after, decision, confirmed_distance, step_ns)
            if after.warm_up is not None:
                after, decision = self._warm_up(after, after.warm_up, decision, step_ns)
        if block_ns >= BLOCK_NS:
            after, decision = self._end_block(after, decision)
        return after, decision

    def refresh_limits(self, state: BlockState) -> BlockState:
        """The state with limits computed again."""
        if state.reference is None:
            return state._replace(limits=warm_up_limits(state.warm_up or WarmUp(), self.plan, self.prior))
        return state._replace(limits=limits_of(state.reference, self.plan, self.prior))

    def _exceed(
        self, state: BlockState, decision: Decision, distance: float, step_ns: int
    ) -> tuple[BlockState, Decision]:
        """A score above a threshold, or in an episode."""
        episodes, limits, now = state.episodes, decision.limits, state.block.observed_ns
        by_level = decision.level > limits.level
        if (episode := episodes.current) is not None:
            return self._continue_episode(state, episode, decision, distance, step_ns)
        if not by_level and now < episodes.cooldown_until_ns:
            return state, decision._replace(suppressed="cooldown")
        episodes, episode = episodes.open_episode(
            "level" if by_level else "peak", now, distance, decision.level, self.max_daily_alerts
        )
        warm_up = None if state.warm_up is None else state.warm_up._replace(quarantine=())
        decision = decision._replace(kind=episode.kind, episode=episode.number)
        decision = decision._replace(suppressed="budget") if episode.over_limit else decision._replace(alert="opens")
        return state._replace(episodes=episodes, warm_up=warm_up), decision

    def _continue_episode(
        self, state: BlockState, episode: Episode, decision: Decision, distance: float, step_ns: int
    ) -> tuple[BlockState, Decision]:
        limits, now, share = decision.limits, state.block.observed_ns, 1.0 - self.hysteresis
        by_level = decision.level > limits.level
        again = distance > limits.peak * share or decision.level > limits.level * share
        # The mean of at most the latest minute or so, of unclipped scores: for the operator who calls them normal.
        weight = step_ns / min(BLOCK_NS, now - episode.opened_ns)
        shift = episode.location_shift
        episode = episode._replace(
            kind="level" if by_level else episode.kind,
            last_exceedance_ns=now if again else episode.last_exceedance_ns,
            location_shift=shift + weight * (decision.score - limits.location - shift),
            peak=max(episode.peak, distance),
            level=max(episode.level, decision.level),
        )
        decision = decision._replace(kind=episode.kind, episode=episode.number, lasting=episode.lasting)
        over = now - episode.last_exceedance_ns >= (BLOCK_NS if episode.kind == "level" else self.release_ns)
        if not episode.over_limit:
            decision = decision._replace(alert="closes" if over else "open")
        else:
            decision = decision._replace(suppressed="budget")
        if over:
            return self._close_episode(state, episode), decision
        return state._replace(episodes=state.episodes._replace(current=episode)), decision

    def _close_episode(self, state: BlockState, episode: Episode) -> BlockState:
        episodes, now = state.episodes, state.block.observed_ns
        peak = episode.peak if episode.peak > state.limits.peak else None
        level = episode.level if episode.level > state.limits.level else None
        is_chance = not episode.lasting and not episodes.is_repeated(episode.opened_ns, self.plan.max_daily_episodes)
        enters = episode.judgement == "false-alarm" or (is_chance and episode.judgement != "real")
        closed = ClosedEpisode(episode.number, episode.opened_ns, peak, level)
        warm_up, reference = state.warm_up, state.reference
        if reference is not None:
            if enters:
                clipped = episode.judgement != "false-alarm"
                reference, peak, level = enter_episode(reference, self.plan, peak, level, clipped=clipped)
                closed = closed._replace(entered_peak=peak, entered_level=level)
            elif episode.lasting:
                reference = discard_recent(reference)
                episodes = drop_discarded_entries(reference, episodes)
        elif warm_up is not None and episode.kind == "peak" and episode.judgement != "real":
            # The range of chance is not yet known, so that short and lasting episodes cannot be told apart.
            warm_up = add_episode_peak(warm_up, state.limits, episode.peak)
        # A device in its first minutes cannot spare a guard time of five minutes.
        guard_until_ns = now + min(self.guard_ns, now // 4)
        episodes = episodes.close_episode(closed, guard_until_ns, now + self.cooldown_ns)
        return self.refresh_limits(state._replace(episodes=episodes, warm_up=warm_up, reference=reference))

    def _warm_up(
        self, state: BlockState, warm_up: WarmUp, decision: Decision, step_ns: int
    ) -> tuple[BlockState, Decision]:
        episodes, now = state.episodes, state.block.observed_ns
        if episodes.current is None and now >= episodes.guard_until_ns:
            limits = decision.limits
            after = add_score(warm_up, limits.location + limits.peak, decision.score, decision.confirmed, step_ns)
            state = state._replace(warm_up=after)
            return (self.refresh_limits(state) if limits_are_due(after, warm_up) else state), decision
        warm_up = warm_up._replace(observed_ns=warm_up.observed_ns + step_ns)
        if not warm_up.is_stalled:
            return state._replace(warm_up=warm_up), decision
        if (episode := episodes.current) is not None:
            episodes = episodes.close_episode(ClosedEpisode(episode.number, episode.opened_ns, None, None), now, now)
            decision = decision._replace(alert="none" if episode.over_limit else "closes")
        restarted = state._replace(warm_up=WarmUp(), episodes=episodes._replace(guard_until_ns=now))
        return self.refresh_limits(restarted), decision

    def _end_block(self, state: BlockState, decision: Decision) -> tuple[BlockState, Decision]:
        block, episodes, warm_up, reference = state.block, state.episodes, state.warm_up, state.reference
        # A block of gaps may hold no confirmed score.
        clean = not block.excluded and block.peak > -UNREACHABLE
        if warm_up is not None:
            warm_up = end_block(warm_up, clean=clean)
            if len(warm_up.blocks) == BLOCKS_PER_HOUR:
                reference = first_reference(warm_up.blocks, warm_up.spread)
                warm_up = None
            state = self.refresh_limits(state._replace(warm_up=warm_up, reference=reference))
        elif reference is not None and clean:
            mean, mean_square = block.clipped_sum / block.block_ns, block.square_sum / block.block_ns
            hour = add_block(reference.hour, BlockSummary(mean, mean_square, block.peak, block.level))
            reference = reference._replace(hour=hour)
            if hour.blocks == BLOCKS_PER_HOUR:
                before, reference = reference, end_hour(reference, self.plan)
                if reference.outlier_left_out and not before.outlier_left_out:
                    episodes = drop_discarded_entries(reference, episodes)
                decision = decision._replace(drift_to_report=reference.drifting and not before.drifting)
                state = state._replace(reference=reference)
                same_days = before.ready and reference.days is before.days
                if same_days and not self.prior.has_model_threshold:
                    # Only the location has moved; ranking the whole reference again would find the same.
                    moved = state.limits._replace(location=reference.location, ceiling=reference.ceiling)
                    state = state._replace(limits=moved)
                else:
                    state = self.refresh_limits(state)
            else:
                state = state._replace(reference=reference)
        if episodes.suppressed and block.observed_ns >= episodes.next_report_ns:
            decision = decision._replace(suppressed_to_report=episodes.suppressed)
            episodes = episodes._replace(suppressed=0, next_report_ns=block.observed_ns + HOUR_NS)
        in_guard_time = block.observed_ns < episodes.guard_until_ns
        empty = BlockAccumulator(
            observed_ns=block.observed_ns,
            excluded=in_guard_time,
            recent_scores=block.recent_scores,
            carried=0.0 if block.excluded else block.carried,
        )
        return state._replace(block=empty, episodes=episodes), decision
