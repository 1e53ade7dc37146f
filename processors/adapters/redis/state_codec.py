"""Detector states as JSON: unchanged parts are not encoded again, and long states are deflated."""

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
_EARLY: TypeAdapter[WarmUp | None] = TypeAdapter(WarmUp | None)
_REFERENCE: TypeAdapter[Reference | None] = TypeAdapter(Reference | None)
_BOOK: TypeAdapter[EpisodeLog] = TypeAdapter(EpisodeLog)
_SHELF: TypeAdapter[tuple[InactiveRegime, ...]] = TypeAdapter(tuple[InactiveRegime, ...])
_PLACE: TypeAdapter[Location | None] = TypeAdapter(Location | None)
_PRIOR: TypeAdapter[Prior] = TypeAdapter(Prior)
_LEARNED: TypeAdapter[ModelCalibration | None] = TypeAdapter(ModelCalibration | None)
_RUN: TypeAdapter[BlockAccumulator] = TypeAdapter(BlockAccumulator)
_LIFE: TypeAdapter[AlertLifecycle] = TypeAdapter(AlertLifecycle)
_OUTBOX: TypeAdapter[tuple[Output, ...]] = TypeAdapter(tuple[Output, ...])


class StateTexts:
    """Encodes states as ``DetectorState.model_dump_json`` does, in a third of its time.

    A device's reference changes once a minute, its thresholds once an hour, and a batch comes several times a second.
    Parts are immutable, so that the same object has the same text.
    """

    def __init__(self) -> None:
        self._cache: dict[StateKey, dict[str, tuple[object, str]]] = {}

    def of(self, key: StateKey, state: DetectorState) -> str:
        """A state's JSON.

        Args:
            key: of the state; the parts encoded last are cached under it.
            state: to encode.
        """
        learned = state.learned
        if learned is None:
            return state.model_dump_json()
        if key not in self._cache and len(self._cache) >= _MAX_CACHED_STATES:
            self._cache.clear()
        cached = self._cache.setdefault(key, {})

        def part(name: str, value: object, adapter: TypeAdapter[Any]) -> str:
            found = cached.get(name)
            if found is None or found[0] is not value:
                found = cached[name] = (value, adapter.dump_json(value).decode())
            return found[1]

        rule: BlockState = learned.rule
        memory = (
            f"[{rule.version},{_RUN.dump_json(rule.run).decode()},{part('limits', rule.limits, _LIMITS)},"
            f"{part('early', rule.early, _EARLY)},{part('reference', rule.reference, _REFERENCE)},"
            f"{part('book', rule.book, _BOOK)},{_string(rule.regime)},{part('shelf', rule.shelf, _SHELF)},"
            f"{part('place', rule.previous, _PLACE)}]"
        )
        position = "null"
        if state.position is not None:
            position = f"[{_string(state.position.session_id)},{state.position.end_sample}]"
        sessions = ",".join(map(_string, state.past_sessions))
        return (
            f'{{"version":{state.version},"position":{position},"past_sessions":[{sessions}],'
            f'"learned":[{_string(learned.sha256)},{memory},{part("prior", learned.prior, _PRIOR)},'
            f'{float(learned.per_week)!r}],"previous":{part("previous", state.previous, _LEARNED)},'
            f'"life":{part("life", state.life, _LIFE)},"last_feedback_offset":{state.last_feedback_offset},'
            f'"outbox":{_OUTBOX.dump_json(state.outbox).decode()}}}'
        )


def packed(text: str) -> bytes:
    """A state's JSON as stored: deflated (RFC 1950) where it is longer than 8 KB.

    That is so with several regimes, mostly after a change of model, and where a batch held many windows of a device.
    """
    body = text.encode()
    return body if len(body) <= _MAX_PLAIN_BYTES else zlib.compress(body, 1)


def unpacked(body: bytes) -> DetectorState:
    """A state as stored, deflated or not.

    Raises:
        ValueError: it is not a state.
    """
    if body.startswith(b"{"):
        return DetectorState.model_validate_json(body)
    try:
        return DetectorState.model_validate_json(zlib.decompress(body))
    except zlib.error as error:
        raise ValueError(f"{body[:20]!r}... is neither JSON nor deflated: {error}") from None


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
