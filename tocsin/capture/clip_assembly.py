"""Assembles clips from their records on the audio topic."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.device import Device
from tocsin.capture.clip import Clip
from tocsin.client.audio_reader import AudioReader, ChunkSequencer, OffsetRange

Int16 = npt.NDArray[np.int16]

_MAX_GAP = 500
"""Records between two clips up to which both are read in one range."""


class ClipAssembly:
    """A clip that is being assembled.

    Args:
        clip: the clip.
        fleet: manifests by device.
    """

    def __init__(self, clip: Clip, fleet: Mapping[str, Device]) -> None:
        self.clip = clip
        self.samples: Int16 = np.empty((clip.n_samples, clip.channels), np.int16)
        self._filled = 0
        # The stream's rules apply again: what was skipped when the clip was found is skipped here too.
        self._sequencer = ChunkSequencer(fleet)

    @property
    def complete(self) -> bool:
        """Whether every sample is present."""
        return self._filled == self.clip.n_samples

    def add(self, message: Any) -> None:
        """Adds a record of the clip's device."""
        replayed = self._sequencer.admit(message)
        if replayed is None or replayed.chunk.session_id != self.clip.session_id:
            return
        chunk, begin = replayed.chunk, self.clip.first_sample
        skip = begin + self._filled - chunk.first_sample
        if not 0 <= skip < chunk.n_samples:
            return
        part = chunk.samples()[skip : skip + self.clip.n_samples - self._filled]
        self.samples[self._filled : self._filled + len(part)] = part
        self._filled += len(part)


async def assemble_clips(
    reader: AudioReader, partition: int, clips: Iterable[Clip], fleet: Mapping[str, Device]
) -> AsyncIterator[ClipAssembly]:
    """The clips of one partition, in the order of their last records; one that has expired is incomplete.

    Args:
        reader: of the audio topic.
        partition: of all the clips.
        clips: in any order.
        fleet: manifests by device.
    """
    waiting = deque(sorted(clips, key=lambda clip: clip.first_offset))
    for offsets in _offset_ranges(partition, waiting):
        pending: dict[str, list[ClipAssembly]] = {}
        async for message in reader.records(offsets):
            while waiting and waiting[0].first_offset <= message.offset:
                clip = waiting.popleft()
                pending.setdefault(clip.device_id, []).append(ClipAssembly(clip, fleet))
            device_id = (message.key or b"").decode(errors="replace")
            mine = pending.get(device_id, [])
            for assembly in mine:
                assembly.add(message)
            ended = [one for one in mine if one.complete or one.clip.last_offset <= message.offset]
            if ended:
                pending[device_id] = [one for one in mine if one not in ended]
            for assembly in ended:
                yield assembly
        for assembly in (one for assemblies in pending.values() for one in assemblies):
            yield assembly
        while waiting and waiting[0].first_offset < offsets.end_offset:
            yield ClipAssembly(waiting.popleft(), fleet)


def _offset_ranges(partition: int, clips: Iterable[Clip]) -> list[OffsetRange]:
    """The ranges to read, in order; neighbouring clips share one."""
    found: list[OffsetRange] = []
    for clip in clips:
        end = clip.last_offset + 1
        if found and clip.first_offset <= found[-1].end_offset + _MAX_GAP:
            end = max(end, found[-1].end_offset)
            found[-1] = OffsetRange(partition, found[-1].first_offset, end)
        else:
            found.append(OffsetRange(partition, clip.first_offset, end))
    return found
