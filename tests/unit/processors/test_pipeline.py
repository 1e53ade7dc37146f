"""A chunk's way through a worker, with everything outside replaced by fakes in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from processors.adapters.models.detectors import load_detectors
from processors.adapters.redis.state_store import MemoryStates
from processors.core.alerting.decision import ScoredWindow
from processors.core.models.assignments import ModelAssignments, Target
from processors.core.offsets.unannounced import MAX_UNANNOUNCED
from processors.core.windowing.extraction import Extractor
from processors.core.windowing.segment import Segment
from processors.stream.decision_contexts import DecisionContexts, NoPolicies
from processors.stream.delivery import Delivery
from processors.stream.pipeline import Pipeline
from processors.stream.states import States
from schemas.chunk import Chunk, encode_chunk
from schemas.deadletter import original
from schemas.device import Device
from schemas.features import FeatureSpec
from schemas.record import Record
from schemas.score import Score, Stage
from schemas.topics import AUDIO, DEADLETTER, SCORES, Topic
from tests.unit.core.models import FakeModel

from .memory_log import MemoryLog

SPECS = {"machine": FeatureSpec(n_frames=24, window_hop=12), "scream": FeatureSpec(n_frames=12, window_hop=3)}
SAMPLES = 8_000


class LevelScorer:
    """Scores a window by its level."""

    def __init__(self) -> None:
        self._extractor = Extractor()

    def score(
        self, arrivals: Sequence[tuple[Segment, Chunk, int]], partition_by_device: Mapping[str, int]
    ) -> list[ScoredWindow]:
        return [
            ScoredWindow(window, partition_by_device[window.device_id], window.level_dbfs, None)
            for window in self._extractor.extract(arrivals)
        ]


class Manifests:
    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        self.late: dict[str, Device] = {}
        self.catch_ups = 0

    def get(self, device_id: str) -> Device | None:
        return self.devices.get(device_id)

    async def catch_up(self) -> None:
        self.catch_ups += 1
        self.devices |= self.late


class Bench:
    """A pipeline whose outputs and acknowledgements can be inspected."""

    def __init__(self) -> None:
        self.manifests = Manifests()
        self.models = ModelAssignments({name: FakeModel(name, spec) for name, spec in SPECS.items()})
        self.store = MemoryStates()
        self.sent: list[tuple[Topic, Record]] = []
        self.acknowledged: list[int] = []
        self.log = MemoryLog()
        self.current = True
        self.kafka_unavailable = False
        self._offset = 0
        self.pipeline = Pipeline(
            scorer=LevelScorer(),
            contexts=DecisionContexts(NoPolicies(), lambda _: "machine", AUDIO.name, load_detectors()),
            detectors=load_detectors(),
            feedback_of=lambda *_: (),
            states=States(self.store),
            manifests=self.manifests,
            model_sets=self.models,
            send=self._send,
            unfinished=self.log,
            send_scores=self._send_scores,
            executor=ThreadPoolExecutor(1),
            default_kind="machine",
        )

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        if self.kafka_unavailable:
            raise ConnectionError("Kafka does not answer")
        self.sent += messages

    async def _send_scores(self, scores: Sequence[tuple[int, Record]]) -> Mapping[int, int]:
        await self._send([(SCORES, record) for _, record in scores])
        return {}

    def delivery(self, record: Record) -> Delivery:
        offset = self._offset
        self._offset += 1
        self.log.records[offset] = record
        return Delivery(3, offset, 1_000 + offset, record, lambda: self.acknowledged.append(offset))

    async def handle(self, *records: Record) -> None:
        await self.pipeline.handle([self.delivery(record) for record in records], lambda: self.current)

    def scores(self) -> list[Score]:
        return [Score.from_record(record) for topic, record in self.sent if topic is SCORES]

    def dead_letters(self) -> list[Record]:
        return [record for topic, record in self.sent if topic is DEADLETTER]


def chunk(device: str, number: int, session: str = "s", **changes: object) -> Record:
    pcm = np.random.default_rng(number).normal(0, 300, SAMPLES).astype("<i2").tobytes()
    fields: dict[str, object] = {
        "device_id": device, "session_id": session, "sequence": number, "first_sample": number * SAMPLES,
        "sample_rate": 16_000, "channels": 1, "captured_ns": number * 500_000_000, "pcm": pcm,
    }  # fmt: skip
    return encode_chunk(Chunk(**(fields | changes)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("together", [1, 3, 12])
async def test_batches_of_any_size_give_every_window_once(bench: Bench, together: int) -> None:
    records = [chunk(device, number) for number in range(12) for device in ("a", "b")]

    for start in range(0, len(records), together):
        await bench.handle(*records[start : start + together])

    starts = [score.first_sample for score in bench.scores() if score.device_id == "a"]
    assert starts == [index * 12 * 320 for index in range(len(starts))]
    assert len(starts) == (12 * SAMPLES - (23 * 320 + 1024)) // (12 * 320) + 1


async def test_acknowledged_offsets_are_a_prefix_that_trails_by_what_is_still_needed(bench: Bench) -> None:
    for number in range(10):
        await bench.handle(chunk("a", number))

    assert bench.acknowledged == list(range(len(bench.acknowledged)))
    assert 7 <= len(bench.acknowledged) < 10


async def test_the_kind_selects_the_detectors(bench: Bench) -> None:
    bench.manifests.devices["room-1"] = Device(device_id="room-1", kind="room")
    bench.manifests.devices["both"] = Device(device_id="both", kind="room", detectors=("scream", "machine"))

    for number in range(3):
        await bench.handle(*(chunk(name, number) for name in ("room-1", "both", "unknown")))

    scored = {(score.device_id, score.detector) for score in bench.scores()}
    assert scored == {("room-1", "scream"), ("both", "scream"), ("both", "machine"), ("unknown", "machine")}


async def test_the_manifest_of_a_new_device_is_awaited(bench: Bench) -> None:
    bench.manifests.late["room-1"] = Device(device_id="room-1", kind="room")

    for number in range(3):
        await bench.handle(chunk("room-1", number))

    assert {score.detector for score in bench.scores()} == {"scream"}
    assert bench.manifests.catch_ups == 1


async def test_an_unknown_detector_falls_back_to_the_kinds(bench: Bench) -> None:
    bench.manifests.devices["d"] = Device(device_id="d", kind="room", detectors=("sirens",))

    for number in range(3):
        await bench.handle(chunk("d", number))

    assert {score.detector for score in bench.scores()} == {"scream"}


HOSTILE = [
    Record(b"a", None, ()),
    Record(b"a", b"", chunk("a", 0).headers),
    Record(b"a", b"\0" * 7, chunk("a", 0).headers),
    Record(b"a", b"\0" * 700_000, chunk("a", 0).headers),
    Record(b"b", chunk("a", 0).value, chunk("a", 0).headers),
    Record(None, b"\xff" * 100, (("x", b"\xff"),)),
    Record(b"a", chunk("a", 0).value, chunk("a", 0).headers * 2),
]


@pytest.mark.parametrize("record", HOSTILE)
async def test_hostile_records_become_dead_letters_and_the_stream_continues(bench: Bench, record: Record) -> None:
    await bench.handle(chunk("a", 0), record, chunk("a", 1))
    await bench.handle(*(chunk("a", number) for number in range(2, 8)))

    assert [original(letter) for letter in bench.dead_letters()] == [record]
    assert dict(bench.dead_letters()[0].headers)["tocsin_error_offset"] == b"1"
    assert len({score.first_sample for score in bench.scores()}) == (8 * SAMPLES - (23 * 320 + 1024)) // (12 * 320) + 1
    assert bench.acknowledged[:2] == [0, 1]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"sample_rate": 8_000}, b"WrongSampleRate"),
        ({"channels": 2}, b"WrongChannelCount"),
        ({"first_sample": 3}, b"MalformedHeader"),
    ],
)
async def test_a_chunk_that_contradicts_its_session_is_a_dead_letter(
    bench: Bench, changes: dict[str, object], name: bytes
) -> None:
    await bench.handle(chunk("a", 0), chunk("a", 1), chunk("a", 2, **changes))

    assert [dict(letter.headers)["tocsin_error_class"] for letter in bench.dead_letters()] == [name]


async def test_a_rate_other_than_the_manifests_is_a_dead_letter(bench: Bench) -> None:
    bench.manifests.devices["a"] = Device(device_id="a", kind="machine", sample_rate=48_000)

    await bench.handle(chunk("a", 0))

    assert [dict(letter.headers)["tocsin_error_class"] for letter in bench.dead_letters()] == [b"WrongSampleRate"]
    assert bench.acknowledged == [0]


async def test_after_a_revoke_nothing_is_acknowledged_and_a_replay_gives_the_rest(bench: Bench) -> None:
    records = [chunk("a", number) for number in range(10)]
    for record in records[:5]:
        await bench.handle(record)
    committed = len(bench.acknowledged)
    bench.current = False
    await bench.handle(records[5])
    assert len(bench.acknowledged) == committed

    bench.pipeline.forget()
    bench.current = True
    before = {score.event_id() for score in bench.scores()}
    for record in records[committed:]:
        await bench.handle(record)

    starts = sorted({score.first_sample for score in bench.scores()})
    assert starts == [index * 12 * 320 for index in range((10 * SAMPLES - (23 * 320 + 1024)) // (12 * 320) + 1)]
    assert before < {score.event_id() for score in bench.scores()}


async def test_duplicates_are_acknowledged_and_not_scored(bench: Bench) -> None:
    for number in range(6):
        await bench.handle(chunk("a", number), chunk("a", number))

    starts = [score.first_sample for score in bench.scores()]
    assert len(starts) == len(set(starts))
    assert len(bench.acknowledged) >= 6


async def test_nothing_is_acknowledged_that_was_not_sent_and_a_replay_sends_it(bench: Bench) -> None:
    records = [chunk("a", number) for number in range(8)]
    await bench.handle(*records[:4])
    before = list(bench.acknowledged)
    bench.kafka_unavailable = True

    with pytest.raises(ConnectionError):
        await bench.handle(*records[4:])
    assert bench.acknowledged == before

    bench.kafka_unavailable = False
    bench.pipeline.forget()
    await bench.handle(*records[len(before) :])
    starts = sorted({score.first_sample for score in bench.scores()})
    assert starts == [index * 12 * 320 for index in range((8 * SAMPLES - (23 * 320 + 1024)) // (12 * 320) + 1)]


async def test_what_was_stored_and_not_sent_is_sent_after_a_crash_that_ends_in_order(bench: Bench) -> None:
    """Faust sends its shutdown signal after crashes too: the outbox must survive it."""
    records = [chunk("a", number) for number in range(8)]
    await bench.handle(*records[:4])
    committed = len(bench.acknowledged)
    bench.kafka_unavailable = True
    with pytest.raises(ConnectionError):
        await bench.handle(*records[4:])

    await bench.pipeline.finish()

    bench.kafka_unavailable = False
    bench.pipeline.forget()
    await bench.handle(*records[committed:])
    starts = sorted({score.first_sample for score in bench.scores()})
    assert starts == [index * 12 * 320 for index in range((8 * SAMPLES - (23 * 320 + 1024)) // (12 * 320) + 1)]


async def test_an_odd_rate_is_scored(bench: Bench) -> None:
    await bench.handle(*(chunk("a", number, sample_rate=11_127) for number in range(8)))

    assert bench.dead_letters() == []
    assert bench.scores()[0].sample_rate == 11_127


async def test_a_manifest_does_not_apply_to_earlier_captures(bench: Bench) -> None:
    bench.manifests.devices["a"] = Device(device_id="a", kind="machine", sample_rate=48_000, announced_ns=10**18)

    await bench.handle(*(chunk("a", number) for number in range(4)))

    assert bench.dead_letters() == []
    assert bench.scores()


async def test_a_manifest_with_another_rate_cuts_no_earlier_capture(bench: Bench) -> None:
    for name in "ab":
        bench.manifests.devices[name] = Device(device_id=name, kind="machine", sample_rate=16_000)
    for number in range(8):
        if number == 3:  # the worker is behind: what it reads next was captured before
            later = Device(device_id="a", kind="machine", sample_rate=8_000, announced_ns=10**18)
            bench.manifests.devices["a"] = later
        await bench.handle(chunk("a", number), chunk("b", number))

    windows = {name: [score.first_sample for score in bench.scores() if score.device_id == name] for name in "ab"}
    assert bench.dead_letters() == []
    assert windows["a"] == windows["b"] != []


async def test_times_beyond_the_latest_capture_time_are_dead_letters(bench: Bench) -> None:
    record = chunk("a", 0)
    late = tuple((n, b"9999-12-31T23:59:59.999999999Z" if n == "ce_time" else v) for n, v in record.headers)

    await bench.handle(Record(record.key, record.value, late), chunk("a", 1))

    assert [dict(letter.headers)["tocsin_error_class"] for letter in bench.dead_letters()] == [b"MalformedHeader"]


def assign(bench: Bench, name: str, stage: Stage, scope: str = "all", spec: str = "machine") -> None:
    bench.models.put(Target("machine", scope, stage), FakeModel(name, SPECS[spec]))


async def test_a_new_model_scores_from_the_devices_next_chunk_on(bench: Bench) -> None:
    for number in range(12):
        if number == 5:
            assign(bench, "new", "champion", "device:a")
        await bench.handle(chunk("a", number), chunk("b", number))

    of_a = [(score.first_sample, score.model.version) for score in bench.scores() if score.device_id == "a"]
    assert [first for first, _ in of_a] == [index * 12 * 320 for index in range(len(of_a))]
    changed = [version for _, version in of_a].index("new")
    assert {version for _, version in of_a[changed:]} == {"new"}
    assert of_a[changed][0] + 23 * 320 + 1024 > 5 * SAMPLES
    assert {score.model.version for score in bench.scores() if score.device_id == "b"} == {"machine"}


async def test_a_shadow_scores_beside_and_changes_nothing(bench: Bench) -> None:
    other = Bench()
    assign(bench, "beside", "shadow", spec="scream")
    for number in range(12):
        await bench.handle(chunk("a", number))
        await other.handle(chunk("a", number))

    shadows = [score for score in bench.scores() if score.stage == "shadow"]
    assert [score for score in bench.scores() if score.stage == "champion"] == other.scores()
    assert {score.model.version for score in shadows} == {"beside"}
    assert [score.first_sample for score in shadows] == [index * 3 * 320 for index in range(len(shadows))]
    assert bench.acknowledged == other.acknowledged


async def test_a_replay_after_a_model_change_repeats_the_old_models_scores(bench: Bench) -> None:
    records = [chunk("a", number) for number in range(8)]
    await bench.handle(*records[:4])
    committed = len(bench.acknowledged)
    bench.kafka_unavailable = True
    with pytest.raises(ConnectionError):
        await bench.handle(*records[4:])
    bench.kafka_unavailable = False
    bench.pipeline.forget()
    assign(bench, "new", "champion")
    await bench.handle(*records[committed:], *(chunk("a", number) for number in range(8, 12)))

    versions = {score.first_sample: score.model.version for score in bench.scores()}
    before = [first for first in versions if first + 23 * 320 + 1024 <= 8 * SAMPLES]
    assert {versions[first] for first in before} == {"machine"}
    assert {versions[first] for first in versions if first not in before} == {"new"}
    assert len(bench.scores()) == len(versions)


async def test_devices_without_a_manifest_are_bounded_and_the_others_sound_is_kept(bench: Bench) -> None:
    bench.manifests.devices["known"] = Device(device_id="known", kind="machine")
    many = [chunk(f"r{number}", 0) for number in range(MAX_UNANNOUNCED + 50)]

    await bench.handle(*many, chunk("known", 0), chunk("r0", 1))

    letters = bench.dead_letters()
    assert {dict(letter.headers)["tocsin_error_class"] for letter in letters} == {b"DeviceNotAdmitted"}
    assert [original(letter) for letter in letters] == many[MAX_UNANNOUNCED:]
    assert len(bench.pipeline.partitions[3].devices) == MAX_UNANNOUNCED + 1
    assert bench.manifests.catch_ups == 1


async def test_one_reading_of_manifests_serves_all_chunks_taken_before_it(bench: Bench) -> None:
    now = asyncio.get_running_loop().time()
    for number in range(20):
        delivery = replace(bench.delivery(chunk(f"r{number}", 0)), taken_s=now)
        await bench.pipeline.handle([delivery], lambda: True)
    assert bench.manifests.catch_ups == 1

    for number in range(20, 23):
        taken = asyncio.get_running_loop().time()
        delivery = replace(bench.delivery(chunk(f"r{number}", 0)), taken_s=taken)
        await bench.pipeline.handle([delivery], lambda: True)
    assert bench.manifests.catch_ups == 4
    assert asyncio.get_running_loop().time() - now >= 0.2, "ten in a second at most"
