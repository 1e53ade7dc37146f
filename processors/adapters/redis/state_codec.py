"""The stored form of states: JSON whose unchanged parts are cached, deflated where it is long."""

from __future__ import annotations

import json
import zlib
from typing import Any

from pydantic import TypeAdapter

from processors.adapters.redis.state_store import StateKey
from processors.core.alerting.alert_lifecycle import AlertLifecycle
from processors.core.alerting.detector_state import DetectorState, ModelCalibration, Output
from processors.core.threshold.block_state import BlockAccumulator, BlockState, InactiveRegime, Location
from processors.core.threshold.episode import EpisodeLog
from processors.core.threshold.limits import Limits, Prior
from processors.core.threshold.reference import Reference
from processors.core.threshold.warm_up import WarmUp

_MAX_CACHED_STATES = 20_000
_MAX_PLAIN_BYTES = 8_192

_LIMITS: TypeAdapter[Limits] = TypeAdapter(Limits)
_WARM_UP: TypeAdapter[WarmUp | None] = TypeAdapter(WarmUp | None)
_REFERENCE: TypeAdapter[Reference | None] = TypeAdapter(Reference | None)
_EPISODES: TypeAdapter[EpisodeLog] = TypeAdapter(EpisodeLog)
_INACTIVE_REGIMES: TypeAdapter[tuple[InactiveRegime, ...]] = TypeAdapter(tuple[InactiveRegime, ...])
_LOCATION: TypeAdapter[Location | None] = TypeAdapter(Location | None)
_PRIOR: TypeAdapter[Prior] = TypeAdapter(Prior)
_CALIBRATION: TypeAdapter[ModelCalibration | None] = TypeAdapter(ModelCalibration | None)
_BLOCK: TypeAdapter[BlockAccumulator] = TypeAdapter(BlockAccumulator)
_LIFECYCLE: TypeAdapter[AlertLifecycle] = TypeAdapter(AlertLifecycle)
_OUTBOX: TypeAdapter[tuple[Output, ...]] = TypeAdapter(tuple[Output, ...])


class StateTexts:
    """Encodes states as ``DetectorState.model_dump_json`` does, in a third of its time.

    A device's reference changes once a minute and its limits once an hour, but states are written several times a
    second. Parts are immutable, so that the same object has the same text.
    """

    def __init__(self) -> None:
        self._cache: dict[StateKey, dict[str, tuple[object, str]]] = {}

    def of(self, key: StateKey, state: DetectorState) -> str:
        """A state's JSON.

        Args:
            key: of the state; its latest parts are cached under it.
            state: to be written.
        """
        current = state.current_model
        if current is None:
            return state.model_dump_json()
        if key not in self._cache and len(self._cache) >= _MAX_CACHED_STATES:
            self._cache.clear()
        cached = self._cache.setdefault(key, {})

        def part(name: str, value: object, adapter: TypeAdapter[Any]) -> str:
            found = cached.get(name)
            if found is None or found[0] is not value:
                found = cached[name] = (value, adapter.dump_json(value).decode())
            return found[1]

        block_state: BlockState = current.block_state
        thresholds = (
            f"[{block_state.version},{_BLOCK.dump_json(block_state.block).decode()},"
            f"{part('limits', block_state.limits, _LIMITS)},{part('warm_up', block_state.warm_up, _WARM_UP)},"
            f"{part('reference', block_state.reference, _REFERENCE)},"
            f"{part('episodes', block_state.episodes, _EPISODES)},{_string(block_state.regime)},"
            f"{part('inactive_regimes', block_state.inactive_regimes, _INACTIVE_REGIMES)},"
            f"{part('previous_location', block_state.previous_location, _LOCATION)}]"
        )
        position = "null"
        if state.position is not None:
            position = f"[{_string(state.position.session_id)},{state.position.end_sample}]"
        sessions = ",".join(map(_string, state.past_sessions))
        run = "null"
        if state.run is not None:
            run = f"[{_string(state.run.sent_as)},{state.run.begin_ns},{state.run.latest_ns}]"
        return (
            f'{{"version":{state.version},"position":{position},"past_sessions":[{sessions}],'
            f'"run":{run},'
            f'"current_model":[{_string(current.sha256)},{thresholds},{part("prior", current.prior, _PRIOR)},'
            f"{float(current.false_alarms_per_week)!r}],"
            f'"previous_model":{part("previous_model", state.previous_model, _CALIBRATION)},'
            f'"lifecycle":{part("lifecycle", state.lifecycle, _LIFECYCLE)},'
            f'"last_feedback_offset":{state.last_feedback_offset},'
            f'"outbox":{_OUTBOX.dump_json(state.outbox).decode()}}}'
        )


def deflate_state(text: str) -> bytes:
    """The stored bytes of a state's JSON: deflated (RFC 1950) where it is longer than 8 KB.

    That is the case with several regimes, mostly after a change of model, and after a batch with many windows of a
    device.
    """
    body = text.encode()
    return body if len(body) <= _MAX_PLAIN_BYTES else zlib.compress(body, 1)


def inflate_state(body: bytes) -> DetectorState:
    """A state from its stored bytes, deflated or not.

    Raises:
        ValueError: it is not a state of this version.
    """
    if body.startswith(b"{"):
        return DetectorState.model_validate_json(body)
    try:
        return DetectorState.model_validate_json(zlib.decompress(body))
    except zlib.error as error:
        raise ValueError(f"{body[:20]!r}... is neither JSON nor deflated: {error}") from None


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
