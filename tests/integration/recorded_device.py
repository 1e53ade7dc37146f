"""A device's sound on the audio topic, in chunks that a test may repeat or break, and alerts on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from aiokafka import AIOKafkaProducer

from schemas.alert import Alert, AudioSpan
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.record import Record
from schemas.score import ModelRef
from schemas.topics import ALERTS, AUDIO, DEVICES, Topic

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
CHUNK_S = 0.5


@dataclass
class RecordedDevice:
    """One device.

    Attributes:
        name: unique, so that tests share topics.
        rate: Hz.
        pcm: by session, int16 (n, channels), all that it captured.
        sent: chunks in the order they go out.
    """

    name: str
    rate: int = 16_000
    pcm: dict[str, npt.NDArray[np.int16]] = field(default_factory=dict)
    sent: list[Chunk] = field(default_factory=list)

    def record(self, session: str, sound: npt.NDArray[np.floating], start_s: float = 0.0) -> list[Chunk]:
        """Chunks of a session, float (n,) or (n, channels) in [-1, 1], captured from ``start_s`` on; not yet sent."""
        pcm = np.clip(np.round(sound.reshape(len(sound), -1) * 32_768), -32_768, 32_767).astype("<i2")
        self.pcm[session] = pcm
        step = int(CHUNK_S * self.rate)
        start_ns = START_NS + int(start_s * SECOND_NS)
        return [
            Chunk(
                device_id=self.name,
                session_id=session,
                sequence=number,
                first_sample=first,
                sample_rate=self.rate,
                channels=pcm.shape[1],
                captured_ns=start_ns + first * SECOND_NS // self.rate,
                pcm=pcm[first : first + step].tobytes(),
            )
            for number, first in enumerate(range(0, len(pcm), step))
        ]

    def alert(self, from_s: float, to_s: float, detector: str = "machine") -> list[Alert]:
        """An alert that opened with the window captured at ``from_s`` and closed with the one at ``to_s``."""
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}/{detector}/{from_s}"))
        return [self._revision(name, detector, from_s, at_s, number) for number, at_s in enumerate((from_s, to_s))]

    def _revision(self, name: str, detector: str, from_s: float, at_s: float, number: int) -> Alert:
        return Alert.model_validate(
            {
                "alert_id": name,
                "dedup_key": f"{self.name}/{detector}",
                "state": ("opened", "closed")[number],
                "revision": number,
                "severity": "warning",
                "device_id": self.name,
                "detector": detector,
                "session_id": "s1",
                "opened_session_id": "s1",
                "opened_first_sample": int(from_s * self.rate),
                "first_sample": int(at_s * self.rate),
                "sample_rate": self.rate,
                "opened_ns": START_NS + int(from_s * SECOND_NS),
                "captured_ns": START_NS + int(at_s * SECOND_NS),
                "score": 9.0,
                "threshold": 8.0,
                "peak_score": 9.5,
                "confirmations": 3,
                "window_count": 4,
                "threshold_state": "ready",
                "audio": AudioSpan(topic=AUDIO.name, partition=0, first_offset=0, last_offset=1),
                "model": ModelRef(name="tocsin-machine", version="0.1.0", sha256="0" * 64),
                "summary": f"Unusual sound at {self.name}",
            }
        )


def noise(seed: int, seconds: float, rate: int = 16_000, channels: int = 1) -> npt.NDArray[np.floating]:
    """Non-repeating noise, float64 (n, channels)."""
    return np.random.default_rng(seed).normal(0.0, 0.1, (int(seconds * rate), channels))


async def send(kafka: str, records: Iterable[tuple[Topic, Record]]) -> None:
    """Sends records in order and waits for all of them."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        sent = [
            await producer.send(topic.name, record.value, key=record.key, headers=list(record.headers))
            for topic, record in records
        ]
        for one in sent:
            await one


async def send_devices(kafka: str, *devices: RecordedDevice) -> None:
    """Announces devices, then sends their chunks in turn."""
    manifests = [Device(device_id=one.name, kind="machine", sample_rate=one.rate) for one in devices]
    longest = max(len(one.sent) for one in devices)
    chunks = [one.sent[number] for number in range(longest) for one in devices if number < len(one.sent)]
    await send(kafka, [(DEVICES, one.to_record()) for one in manifests])
    await send(kafka, [(AUDIO, encode_chunk(one)) for one in chunks])


async def send_alerts(kafka: str, *alerts: list[Alert]) -> None:
    """Sends all revisions."""
    await send(kafka, [(ALERTS, one.to_record()) for revisions in alerts for one in revisions])
