"""States that a decision consults besides its own: of the device's other slot, and of devices with the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from processors.adapters.redis.state_store import StateKey, other_key
from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.detector_state import DetectorState
from processors.core.threshold.budget import BLOCKS_PER_DAY
from processors.core.threshold.reference import Reference
from processors.stream.state_cache import CachedState

_MAX_PEERS = 64


def changing_models(
    cache: Mapping[StateKey, CachedState], groups: Mapping[StateKey, Sequence[ScoredWindow]]
) -> list[StateKey]:
    """The other slots of those whose model changes: they may hold a calibration of the new model."""
    return [
        other_key(key)
        for key, group in groups.items()
        if (model := cache[key].state.model_sha256) and any(scored.window.model.ref.sha256 != model for scored in group)
    ]


def peers_of(cache: Mapping[StateKey, CachedState], key: StateKey, group: Sequence[ScoredWindow]) -> list[Reference]:
    """References of other devices with a model that begins on this one."""
    state = cache[key].state
    begins = {scored.window.model.ref.sha256 for scored in group} - {state.model_sha256}
    if not begins:
        return []
    known = (one.state.current_model for other, one in cache.items() if other != key and other[1] == key[1])
    references = (
        learned.block_state.reference for learned in known if learned is not None and learned.sha256 in begins
    )
    return list(islice((one for one in references if one is not None and one.blocks >= BLOCKS_PER_DAY), _MAX_PEERS))


def other_slot(cache: Mapping[StateKey, CachedState], key: StateKey) -> DetectorState | None:
    known = cache.get(other_key(key))
    return None if known is None else known.state
