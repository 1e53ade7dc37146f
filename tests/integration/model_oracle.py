"""Checks the scores of crafted models: each window once, and by the model that it names."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

import numpy as np
from aiokafka import AIOKafkaConsumer

from processors.core.audio.recording import rows_of, windows_of
from schemas.features import FeatureSpec
from schemas.record import Record
from schemas.score import Score
from schemas.topics import SCORES
from tests.integration.announcer import Announcer
from tests.integration.fleet import RATE, Fleet


class ScoreLog:
    """The scores topic from now on, each record parsed once.

    Args:
        kafka: bootstrap address.
    """

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._values: dict[str, set[bytes]] = defaultdict(set)
        self._scores: dict[str, Score] = {}

    async def __aenter__(self) -> ScoreLog:
        self._consumer = AIOKafkaConsumer(SCORES.name, bootstrap_servers=self._kafka, group_id=None)
        await self._consumer.start()
        await self._consumer.seek_to_end()
        return self

    async def __aexit__(self, *_: object) -> None:
        # It may raise what it was itself cancelled with when the broker is slow.
        await asyncio.gather(self._consumer.stop(), return_exceptions=True)

    async def read(self) -> None:
        """Takes what has come."""
        # Not until there is nothing more: of a fleet that is live there always is.
        for _ in range(5):
            batches = await self._consumer.getmany(timeout_ms=100)
            for message in itertools.chain.from_iterable(batches.values()):
                score = Score.from_record(Record(message.key, message.value, tuple(message.headers)))
                self._values[score.event_id()].add(message.value)
                self._scores[score.event_id()] = score

    def of(self, devices: Iterable[str], stage: str = "champion") -> dict[str, list[Score]]:
        """Scores by device, in order of their ends; what was sent again must be word for word the same."""
        found: dict[str, list[Score]] = {device: [] for device in devices}
        for event_id, score in self._scores.items():
            if score.device_id in found and score.stage == stage:
                assert len(self._values[event_id]) == 1, f"sent with different content: {self._values[event_id]}"
                found[score.device_id].append(score)
        for scores in found.values():
            scores.sort(key=lambda score: score.end_sample)
        return found

    def made_by(self, sha256: str) -> int:
        """How many scores a model has given so far."""
        return sum(score.model.sha256 == sha256 for score in self._scores.values())

    async def more_by(self, sha256: str, before: int, timeout: float = 60.0) -> None:
        """Returns once a model has given more scores than ``before``."""
        async with asyncio.timeout(timeout):
            while self.made_by(sha256) <= before:
                await self.read()

    async def until(self, devices: Collection[str], end_sample: int, timeout: float = 90.0) -> None:
        """Returns once every device's windows up to this end are out, and a little later: more must not come."""
        async with asyncio.timeout(timeout):
            while any(not s or s[-1].end_sample < end_sample for s in self.of(devices).values()):
                await self.read()
        await asyncio.sleep(1.5)
        await self.read()


def assert_chain(scores: Sequence[Score], announcer: Announcer, length: int) -> None:
    """Windows of one device from the session's start to its end: no window missing, none twice, none in a seam.

    Args:
        scores: in order of their ends.
        announcer: knows every model.
        length: of the session, samples.
    """
    first, last = scores[0], scores[-1]
    assert first.first_sample == 0
    for before, after in itertools.pairwise(scores):
        spec, following = (announcer.specs[score.model.sha256] for score in (before, after))
        assert before.end_sample < after.end_sample
        if spec == following:
            assert after.first_sample - before.first_sample == spec.window_hop * spec.hop
        else:
            assert after.first_sample <= before.end_sample, "a hole where the models changed"
    spec = announcer.specs[last.model.sha256]
    assert last.end_sample + spec.window_hop * spec.hop > length, "windows are missing at the end"


def assert_values(scores: Sequence[Score], sound: np.ndarray, announcer: Announcer) -> None:
    """Every score is what the model it names says of that window."""
    pcm = sound.tobytes()
    for score in scores:
        spec = announcer.specs[score.model.sha256]
        expected = announcer.scales[score.model.sha256] * _means(pcm, spec)[score.first_sample // _hop(spec)]
        assert abs(score.score - expected) < 1e-3 * abs(expected), (score, expected)


def sound_of(fleet: Fleet, device: str) -> np.ndarray:
    """What a device sent, int16."""
    return np.concatenate([np.frombuffer(chunk.pcm, "<i2") for chunk in fleet.chunks[device]])


def last_end(length: int, spec: FeatureSpec) -> int:
    """Where the last whole window of so many samples ends."""
    return (windows_in(length, spec) - 1) * _hop(spec) + spec.window_samples


def windows_in(length: int, spec: FeatureSpec) -> int:
    """Whole windows of so many samples."""
    return max(0, (length - spec.window_samples) // _hop(spec) + 1)


@lru_cache
def _means(pcm: bytes, spec: FeatureSpec) -> np.ndarray:
    """The mean feature of every window."""
    return windows_of(rows_of(np.frombuffer(pcm, "<i2"), RATE, spec), spec).mean(axis=(1, 2))


def _hop(spec: FeatureSpec) -> int:
    return spec.window_hop * spec.hop
