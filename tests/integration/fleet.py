"""A fleet of test devices: their sound, the chunks of it, and what the core makes of it without a stream."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from aiokafka import AIOKafkaProducer

from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped_models
from processors.adapters.redis.state_store import StateKey
from processors.core.alerting.decision import decide
from processors.core.alerting.detector_state import DetectorState, Output
from processors.core.alerting.detectors import detectors_of
from processors.core.models.model import Slot
from processors.core.windowing.segment import Segment
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import context_of
from schemas.chunk import Chunk, encode_chunk
from schemas.device import Device
from schemas.topics import AUDIO, DEVICES
from synthesis.factory import demo_factory

RATE = 16_000
CHUNK_S = 0.5


@dataclass
class Fleet:
    """Devices of the demo's factory under names of their own, so that tests share topics.

    Attributes:
        devices: manifests.
        chunks: by device, in order.
        states: what every detector of every device remembers at the end; known once ``expected`` was called.
    """

    devices: dict[str, Device] = field(default_factory=dict)
    chunks: dict[str, list[Chunk]] = field(default_factory=dict)
    states: dict[StateKey, DetectorState] = field(default_factory=dict)

    @classmethod
    def of_factory(cls, seconds: float, first_s: float = 0.0, count: int = 8, seed: int = 7) -> Fleet:
        """The demo's devices, ``seconds`` of their sound from ``first_s`` on, cut into half-second chunks."""
        fleet = cls()
        tag = uuid.uuid4().hex[:8]
        for device in demo_factory(seed)[-count:]:
            name = f"{device.device_id}-{tag}"
            sound = _sound(seed, device.device_id, first_s, seconds)
            fleet.add(Device(device_id=name, kind=device.kind, sample_rate=RATE), sound)
        return fleet

    def add(self, device: Device, sound: np.ndarray, session: str = "s1") -> None:
        """Adds a session of a device, float (n,) in [-1, 1]."""
        pcm = np.clip(np.round(sound * 32_768), -32_768, 32_767).astype("<i2")
        step = int(CHUNK_S * RATE)
        self.devices[device.device_id] = device
        self.chunks.setdefault(device.device_id, []).extend(
            Chunk(
                device_id=device.device_id,
                session_id=session,
                sequence=number,
                first_sample=start,
                sample_rate=RATE,
                channels=1,
                captured_ns=1_700_000_000_000_000_000 + start * 1_000_000_000 // RATE,
                pcm=pcm[start : start + step].tobytes(),
            )
            for number, start in enumerate(range(0, len(pcm), step))
        )

    def halves(self, share: float) -> tuple[Fleet, Fleet]:
        """The same devices with the first ``share`` of their chunks, and with the rest."""
        cut = {name: round(share * len(chunks)) for name, chunks in self.chunks.items()}
        first = {name: chunks[: cut[name]] for name, chunks in self.chunks.items()}
        rest = {name: chunks[cut[name] :] for name, chunks in self.chunks.items()}
        return Fleet(self.devices, first), Fleet(self.devices, rest)

    async def publish(
        self, kafka: str, speed: float | None = None, codec: str | None = None, until: asyncio.Event | None = None
    ) -> None:
        """Announces all devices and sends all chunks, interleaved as live devices are; ``speed`` 1 is real time.

        Once ``until`` is set nothing more is sent, and the chunks that were not are forgotten.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka, enable_idempotence=True, max_request_size=1_000_000, compression_type=codec
        )
        await producer.start()
        try:
            for device in self.devices.values():
                record = device.to_record()
                await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))
            rounds = max(len(chunks) for chunks in self.chunks.values())
            started = asyncio.get_running_loop().time()
            for number in range(rounds):
                if until is not None and until.is_set():
                    self.chunks = {device: chunks[:number] for device, chunks in self.chunks.items()}
                    return
                sent = []
                for chunks in self.chunks.values():
                    if number < len(chunks):
                        record = encode_chunk(chunks[number])
                        sent.append(
                            await producer.send(AUDIO.name, record.value, key=record.key, headers=list(record.headers))
                        )
                await asyncio.gather(*sent)
                if speed is not None:
                    due = started + (number + 1) * CHUNK_S / speed
                    await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        finally:
            await producer.stop()

    def expected(self) -> list[Output]:
        """What an undisturbed worker gives, from the core alone."""
        models = load_shipped_models(load_detectors())
        judges = {name: context_of(load_detectors()[name], model, AUDIO.name) for name, model in models.items()}
        scorer = BatchScorer()
        outputs: list[Output] = []
        for device in self.devices.values():
            model_set = {Slot(name, "champion"): models[name] for name in detectors_of(device, load_detectors())}
            states = dict.fromkeys(model_set, DetectorState())
            for session in _sessions(self.chunks[device.device_id]):
                segment = Segment(device.device_id, session[0].session_id, RATE, 0, model_set)
                arrivals = [(segment, chunk, number) for number, chunk in enumerate(session)]
                scored = scorer.score(arrivals, {device.device_id: 0})
                for slot in model_set:
                    mine = [window for window in scored if window.window.slot == slot]
                    states[slot], out = decide(states[slot], lambda window: judges[window.slot.detector], mine)
                    outputs += out
                    self.states[device.device_id, slot.detector] = states[slot]
        return outputs


@lru_cache
def _sound(seed: int, device_id: str, first_s: float, seconds: float) -> np.ndarray:
    """Rendered once a session of tests."""
    device = next(device for device in demo_factory(seed) if device.device_id == device_id)
    return device.render(int(first_s * RATE), int(seconds * RATE))


def _sessions(chunks: Sequence[Chunk]) -> list[list[Chunk]]:
    found: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        found.setdefault(chunk.session_id, []).append(chunk)
    return list(found.values())
