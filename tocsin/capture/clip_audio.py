"""The sound of chosen clips, read back from where they lie."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.device import Device
from tocsin.capture.clip import Clip
from tocsin.client.audio import ChunkSequencer, OffsetRange, Playback

Int16 = npt.NDArray[np.int16]

_JUMP = 500
"""Records that are rather read over than jumped over."""


class Take:
    """One clip being put together.

    Args:
        clip: which.
        fleet: manifests by device.
    """

    def __init__(self, clip: Clip, fleet: Mapping[str, Device]) -> None:
        self.clip = clip
        self.samples: Int16 = np.empty((clip.n_samples, clip.channels), np.int16)
        self._filled = 0
        # The rules of the stream once more: what was passed over when the clip was found is passed over here.
        self._admission = ChunkSequencer(fleet)

    @property
    def whole(self) -> bool:
        """Whether every sample is there."""
        return self._filled == self.clip.n_samples

    def add(self, message: Any) -> None:
        """Takes a record of the clip's device."""
        played = self._admission.admit(message)
        if played is None or played.chunk.session_id != self.clip.session_id:
            return
        chunk, begin = played.chunk, self.clip.first_sample
        skip = begin + self._filled - chunk.first_sample
        if not 0 <= skip < chunk.n_samples:
            return
        part = chunk.samples()[skip : skip + self.clip.n_samples - self._filled]
        self.samples[self._filled : self._filled + len(part)] = part
        self._filled += len(part)


async def takes_of(
    playback: Playback, partition: int, clips: Iterable[Clip], fleet: Mapping[str, Device]
) -> AsyncIterator[Take]:
    """The clips of one partition, as their last records come; one that the topic no longer holds is not whole.

    Args:
        playback: the topic.
        partition: where they all lie.
        clips: in any order.
        fleet: manifests by device.
    """
    waiting = deque(sorted(clips, key=lambda clip: clip.first_offset))
    for stretch in _stretches(partition, waiting):
        under_way: dict[str, list[Take]] = {}
        async for message in playback.records(stretch):
            while waiting and waiting[0].first_offset <= message.offset:
                clip = waiting.popleft()
                under_way.setdefault(clip.device_id, []).append(Take(clip, fleet))
            device_id = (message.key or b"").decode(errors="replace")
            mine = under_way.get(device_id, [])
            for take in mine:
                take.add(message)
            ended = [take for take in mine if take.whole or take.clip.last_offset <= message.offset]
            if ended:
                under_way[device_id] = [take for take in mine if take not in ended]
            for take in ended:
                yield take
        for take in (take for takes in under_way.values() for take in takes):
            yield take
        while waiting and waiting[0].first_offset < stretch.end_offset:
            yield Take(waiting.popleft(), fleet)


def _stretches(partition: int, clips: Iterable[Clip]) -> list[OffsetRange]:
    """What must be read, in order, in few pieces."""
    found: list[OffsetRange] = []
    for clip in clips:
        end = clip.last_offset + 1
        if found and clip.first_offset <= found[-1].end_offset + _JUMP:
            end = max(end, found[-1].end_offset)
            found[-1] = OffsetRange(partition, found[-1].first_offset, end)
        else:
            found.append(OffsetRange(partition, clip.first_offset, end))
    return found
