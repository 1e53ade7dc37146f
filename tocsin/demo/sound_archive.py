"""The sound of alerts, read back from the audio topic as any consumer could."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from connections.kafka import KafkaConnection
from schemas.alert import Alert
from schemas.chunk import Chunk, decode_chunk
from schemas.errors import ContractError
from schemas.topics import AUDIO
from tocsin.client.topic_reader import consumer_of, read_to_end, record_of


class SoundArchive:
    """Chunks of some devices, by session.

    Args:
        chunks: in any order.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks: dict[tuple[str, str], dict[int, Chunk]] = {}
        for chunk in chunks:
            self._chunks.setdefault((chunk.device_id, chunk.session_id), {})[chunk.first_sample] = chunk

    @classmethod
    async def of(cls, bootstrap: KafkaConnection, devices: set[str]) -> SoundArchive:
        """All sound of these devices on the topic."""
        chunks = []
        async with consumer_of(bootstrap, [AUDIO]) as consumer:
            async for message in read_to_end(consumer):
                if (message.key or b"").decode(errors="replace") in devices:
                    try:
                        chunks.append(decode_chunk(record_of(message)))
                    except ContractError:
                        continue
        return cls(chunks)

    def around(self, alert: Alert, before_s: float, after_s: float) -> tuple[int, npt.NDArray[np.int16]]:
        """Sound from ``before_s`` seconds before the alert's window to ``after_s`` seconds after its start.

        Returns:
            Session index of the first sample, and int16 (n, channels); n is 0 if the topic no longer holds it.
        """
        rate = alert.sample_rate
        low = alert.opened_first_sample - int(before_s * rate)
        high = alert.opened_first_sample + int(after_s * rate)
        chunks = self._chunks.get((alert.device_id, alert.opened_session_id), {})
        found = [chunks[first] for first in sorted(chunks) if chunks[first].end_sample > low and first < high]
        if not found:
            return 0, np.empty((0, 1), np.int16)
        return found[0].first_sample, np.concatenate([chunk.samples() for chunk in found])
