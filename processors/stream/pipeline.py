"""A chunk's way through a worker: decode, admit to its device's stream, score, decide, send, acknowledge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor

import structlog

from processors.core.alerting.decision import ScoredWindow
from processors.core.alerting.detector_state import Output
from processors.core.alerting.detectors import Detectors
from processors.core.alerting.operator_feedback import OperatorFeedback
from processors.core.offsets.partition import Partition
from processors.core.windowing.device_stream import Arrival, DeviceStream
from processors.core.windowing.segment import Segment
from processors.stream.accounting import Accounting
from processors.stream.admission import Admission
from processors.stream.batch_scorer import ModelsFailed
from processors.stream.decision_contexts import DecisionContexts
from processors.stream.delivery import Delivery, Send, SendScores, dead_letter_of, letter_of, messages_of
from processors.stream.device_streams import DeviceStreams
from processors.stream.frontier import Frontiers
from processors.stream.model_fallback import ModelFallback, Refuse
from processors.stream.ports import DeviceManifests, ModelSets, WindowScorer
from processors.stream.silence import SilenceWatch
from processors.stream.states import States
from processors.stream.unfinished import Acknowledge, UnfinishedLog, open_partitions, read_continued
from schemas.alert import Alert
from schemas.chunk import Chunk, decode_chunk
from schemas.device import DeviceKind
from schemas.errors import ContractError
from schemas.health_notice import HealthNotice
from schemas.notice import Notice
from schemas.record import Record
from schemas.topics import ALERT_STATE, ALERTS, NOTICES, Topic

_log = structlog.get_logger(__name__)


class Pipeline:
    """Handles batches, one at a time.

    Args:
        scorer: scores windows; called in ``executor``.
        contexts: the decision context of each window.
        feedback_of: the operators' feedback on a device's detector.
        states: thresholds and alerts.
        manifests: of devices.
        detectors: by name.
        model_sets: which models score a device; a change applies from the device's next chunk on.
        send: see :data:`Send`.
        send_scores: see :data:`SendScores`.
        unfinished: stores the unfinished segments of devices that hold commits back.
        executor: one thread is enough: batches do not overlap.
        default_kind: the kind of a device without a manifest.
        refuse: takes a model that failed from all its targets, see :data:`processors.stream.model_fallback.Refuse`.
        accounting: counts what happens.
        silence: which devices send nothing.
        clock: seconds, monotonic; for how long a partition has had no records.
        window_bytes: bound on the unfinished windows in memory.
    """

    def __init__(
        self,
        *,
        scorer: WindowScorer,
        contexts: DecisionContexts,
        feedback_of: Callable[[str, str], Sequence[OperatorFeedback]],
        states: States,
        manifests: DeviceManifests,
        model_sets: ModelSets,
        detectors: Detectors,
        send: Send,
        send_scores: SendScores,
        unfinished: UnfinishedLog,
        executor: Executor,
        default_kind: DeviceKind,
        refuse: Refuse = lambda *_: False,
        accounting: Accounting | None = None,
        silence: SilenceWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
        window_bytes: int = 192_000_000,
    ) -> None:
        self._scorer = scorer
        self._contexts = contexts
        self._feedback_of = feedback_of
        self._states = states
        self._admission = Admission(manifests, clock)
        self._streams = DeviceStreams(manifests, model_sets, detectors, default_kind)
        self._send = send
        self._send_scores = send_scores
        self._unfinished = unfinished
        self._executor = executor
        self._fallback = ModelFallback(refuse, self._streams.substitute, executor)
        self._notices: list[Notice | HealthNotice] = []
        self._accounting = Accounting() if accounting is None else accounting
        self._silence = SilenceWatch() if silence is None else silence
        self._partitions: dict[int, Partition[Acknowledge]] = {}
        self._forgotten: list[Partition[Acknowledge]] = []
        self._frontiers = Frontiers(unfinished, self._accounting, clock, window_bytes)
        self._all_sent = True

    @property
    def partitions(self) -> Mapping[int, Partition[Acknowledge]]:
        """The partitions that records were handled of in this assignment, by number."""
        return self._partitions

    @property
    def window_bytes_used(self) -> int:
        """Bytes of unfinished windows in memory."""
        return sum(partition.size_bytes for partition in self._partitions.values())

    def forget(self) -> None:
        """Drops all partitions: they are read again from their frontiers."""
        self._forgotten += self._partitions.values()
        self._partitions = {}
        self._states.forget()
        self._silence.forget()

    async def recover(self, partitions: Iterable[int]) -> None:
        """Makes the states of newly assigned partitions whole; see :meth:`processors.stream.states.States.recover`."""
        numbers = list(partitions)
        await self._states.recover(numbers)
        await self._silence.load(numbers)

    async def finish(self) -> None:
        """After the last batch: leaves nothing for the next owner to repeat, if all of it was sent."""
        if self._all_sent:
            await self._states.confirm()

    async def handle(self, batch: Sequence[Delivery], is_current: Callable[[], bool]) -> None:
        """Handles a batch from decoding to acknowledgement.

        Args:
            batch: records in offset order within each partition.
            is_current: False once the partitions were revoked; then nothing is acknowledged.
        """
        self._accounting.forgotten(self._forgotten)
        self._forgotten = []
        # A rebalance meanwhile replaces the dictionary: this batch continues with the old one.
        partitions = self._partitions
        self._all_sent = False
        dead_letters: list[tuple[Topic, Record]] = []
        await open_partitions(self._unfinished, partitions, sorted({delivery.partition for delivery in batch}))
        chunks = self._decode(batch, partitions, dead_letters)
        await self._admission.await_manifests(
            [
                (chunk.device_id, delivery.taken_s)
                for delivery, chunk in chunks
                if partitions[delivery.partition].stream(chunk.device_id) is None
            ]
        )
        chunks = self._admit_devices(chunks, partitions, dead_letters)
        self._accounting.sound_again(self._silence.received(chunk.device_id for _, chunk in chunks))
        scored = await self._continue_unfinished(chunks, partitions)
        streams: dict[str, DeviceStream] = {}
        arrivals, partition_by_device = self._admit(chunks, partitions, dead_letters, streams)
        scored += await self._score(arrivals, partition_by_device)
        self._accounting.settle((segment for segment, _, _ in arrivals), streams.values())
        if not is_current():
            return
        outputs = await self._decide(scored) if scored else []
        if not is_current():
            # Stored or not, nothing is acknowledged: who reads these windows again sends what was decided.
            return
        notices, self._notices = self._notices, []
        notices += self._accounting.health.due(max(one.timestamp_ms for one in batch))
        await self._send_all(outputs, scored, dead_letters + [(NOTICES, notice.to_record()) for notice in notices])
        self._all_sent = True
        self._accounting.sent(outputs, notices)
        self._silence.sent(outputs)
        if not is_current():
            return
        numbers = {delivery.partition for delivery in batch}
        self._frontiers.handled(numbers)
        await self._frontiers.advance([partitions[number] for number in numbers], partitions.values(), is_current)

    async def _send_all(
        self, outputs: Sequence[Output], scored: Sequence[ScoredWindow], others: Sequence[tuple[Topic, Record]]
    ) -> None:
        """Sends scores first, and once they are confirmed what their windows caused, which each score records.

        An alert on its topic then always has its score on the log, from which lost states are rebuilt.
        """
        ends: Mapping[int, int] = {}
        if outputs:
            partition_of = {one.window.device_id: one.partition for one in scored}
            logged = [(partition_of[one.score.device_id], one.logged().to_record()) for one in outputs]
            ends = await self._send_scores(logged)
        if messages := [*others, *(message for output in outputs for message in messages_of(output))]:
            await self._send(messages)
        self._states.sent(ends)

    async def _decide(self, scored: Sequence[ScoredWindow]) -> list[Output]:
        return await self._states.apply(self._contexts.of, scored, self._feedback_of, self._silence.closed)

    async def _tell(self, closing: Sequence[Alert]) -> None:
        """Sends closing revisions, and the notices that are due."""
        notices = self._accounting.health.due(self._accounting.now_ms())
        messages: list[tuple[Topic, Record]] = [(NOTICES, notice.to_record()) for notice in notices]
        for alert in closing:
            messages += [(ALERTS, alert.to_record()), (ALERT_STATE, alert.to_state_record())]
        if messages:
            await self._send(messages)
        self._accounting.told(closing, notices)

    async def settle(self, is_current: Callable[[], bool]) -> None:
        """Lets commits pass the devices of partitions without new records; call it every few seconds, not in a batch.

        Args:
            is_current: False once the partitions were revoked.
        """
        await self._states.catch_up()
        await self._silence.load(())
        closing, silent = self._silence.due()
        self._accounting.silent(silent)
        await self._tell(closing)
        self._silence.confirm(closing)
        assigned = self._partitions.values()
        await self._frontiers.advance([partition for partition in assigned if partition.pending], assigned, is_current)

    def _decode(
        self,
        batch: Sequence[Delivery],
        partitions: Mapping[int, Partition[Acknowledge]],
        dead_letters: list[tuple[Topic, Record]],
    ) -> list[tuple[Delivery, Chunk]]:
        chunks = []
        for delivery in batch:
            # Stored until the frontier passes: the acknowledgement, not the sound.
            partitions[delivery.partition].append(delivery.offset, delivery.timestamp_ms, delivery.acknowledge)
            try:
                chunk = decode_chunk(delivery.record)
            except Exception as error:
                # Any error: a record must not end a worker.
                dead_letters.append(dead_letter_of(delivery, error))
                self._accounting.rejected(error, delivery.partition, delivery.timestamp_ms)
                continue
            chunks.append((delivery, chunk))
            self._accounting.received(chunk)
        return chunks

    def _admit_devices(
        self,
        chunks: Sequence[tuple[Delivery, Chunk]],
        partitions: Mapping[int, Partition[Acknowledge]],
        dead_letters: list[tuple[Topic, Record]],
    ) -> list[tuple[Delivery, Chunk]]:
        """The chunks of admitted devices; the others become dead letters, each with its sound."""
        admitted = []
        for delivery, chunk in chunks:
            refusal = self._admission.refuse(partitions, chunk, delivery.partition, delivery.timestamp_ms)
            if refusal is None:
                admitted.append((delivery, chunk))
            else:
                dead_letters.append(letter_of(delivery, refusal))
                self._accounting.rejected(refusal, delivery.partition, delivery.timestamp_ms, chunk)
        self._admission.report()
        return admitted

    async def _continue_unfinished(
        self, chunks: Sequence[tuple[Delivery, Chunk]], partitions: Mapping[int, Partition[Acknowledge]]
    ) -> list[ScoredWindow]:
        """Rebuilds the streams that are not in memory and that chunks continue, from the sound on the audio topic.

        Returns:
            The windows of that sound that were complete: they are decided, and sent, a second time at most.
        """
        scored: list[ScoredWindow] = []
        by_partition: dict[int, list[tuple[int, Chunk]]] = {}
        for delivery, chunk in chunks:
            by_partition.setdefault(delivery.partition, []).append((delivery.offset, chunk))
        for number, of_partition in by_partition.items():
            partition = partitions[number]
            continued: dict[str, int] = {}
            streams: dict[str, DeviceStream] = {}
            async for piece in read_continued(self._unfinished, partition, of_partition):
                arrivals = []
                for offset, chunk in piece:
                    continued[chunk.device_id] = offset
                    self._accounting.received(chunk)
                    stream = self._streams.of(chunk, partition.stream(chunk.device_id))
                    try:
                        arrival = stream.admit(chunk, partition.broker_ms)
                    except ContractError:
                        self._accounting.skipped(chunk, "new_manifest")  # it names another rate since
                        continue
                    if arrival is Arrival.DUPLICATE:
                        self._accounting.skipped(chunk, "duplicate")
                    elif stream.segment is not None:
                        streams[chunk.device_id] = stream
                        partition.track(stream, partition.broker_ms)
                        arrivals.append((stream.segment, chunk, offset))
                scored += await self._score(arrivals, dict.fromkeys(continued, number))
                self._accounting.settle((segment for segment, _, _ in arrivals), streams.values())
            for device_id in continued:
                partition.cover(device_id, min(offset for offset, c in of_partition if c.device_id == device_id))
        return scored

    def _admit(
        self,
        chunks: Sequence[tuple[Delivery, Chunk]],
        partitions: Mapping[int, Partition[Acknowledge]],
        dead_letters: list[tuple[Topic, Record]],
        streams: dict[str, DeviceStream],
    ) -> tuple[list[tuple[Segment, Chunk, int]], dict[str, int]]:
        """Chunks that continue or begin a segment, each with its segment and offset; and each device's partition.

        ``streams`` receives the streams of the devices.
        """
        arrivals, partition_by_device = [], {}
        for delivery, chunk in chunks:
            partition = partitions[delivery.partition]
            stream = partition.stream(chunk.device_id)
            try:
                stream = self._streams.of(chunk, stream)
                arrival = stream.admit(chunk, delivery.timestamp_ms)
            except Exception as error:
                dead_letters.append(dead_letter_of(delivery, error))
                self._accounting.rejected(error, delivery.partition, delivery.timestamp_ms, chunk)
                continue
            partition.track(stream, delivery.timestamp_ms)
            streams[chunk.device_id] = stream
            self._accounting.arrived(chunk, arrival, stream, delivery.timestamp_ms)
            if arrival is not Arrival.DUPLICATE and stream.segment is not None:
                arrivals.append((stream.segment, chunk, delivery.offset))
                partition_by_device[chunk.device_id] = delivery.partition
        return arrivals, partition_by_device

    async def _score(
        self,
        arrivals: Sequence[tuple[Segment, Chunk, int]],
        partition_by_device: Mapping[str, int],
    ) -> list[ScoredWindow]:
        if not arrivals:
            return []
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._scorer.score, arrivals, partition_by_device)
        except ModelsFailed as failed:
            scored, told = await self._fallback.complete(failed, partition_by_device)
            self._notices += told
            return scored
