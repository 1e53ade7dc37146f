"""The Faust app and its worker: components built from options, and connected to Faust's agent, tasks and signals.

The rules that keep acknowledgements right lost nothing on a real broker through kills, joins, zombies and broker
restarts; their reasons are in docs/adr/0003-acknowledge-by-frontier.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mode
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connections.denials import right_denied
from processors.adapters.kafka.compacted_topic import CompactedTopicFollower
from processors.adapters.kafka.feedback import FeedbackFollower
from processors.adapters.kafka.kafka_score_log import KafkaScoreLog
from processors.adapters.kafka.policies import Policies
from processors.adapters.kafka.topic_follower import TopicFollower
from processors.adapters.kafka.unfinished_log import KafkaUnfinishedLog
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.stream_collector import Gauge, StreamCollector
from processors.adapters.models.announcements import Announcements
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.assigned import AssignedModels
from processors.adapters.models.cache import ModelCache
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped_models
from processors.adapters.models.signing import load_trusted_keys
from processors.adapters.models.source import ModelSource
from processors.adapters.redis.redis_states import RedisStates
from processors.app.access import watch_access
from processors.app.batch_loop import BatchLoop
from processors.app.byte_budget import ByteBudget
from processors.app.credentials import broker_credentials, broker_urls
from processors.app.monitor import CHECKS, Monitor
from processors.app.options import WorkerOptions
from processors.app.shutdown import crash, end_for_user, shut_down
from processors.app.transport import App, Consumer, install
from processors.app.watchdog import StallDetector, unread_records, watch
from processors.core.accounting.stream_counts import StreamCounts
from processors.core.alerting.decision_context import DecisionContext
from processors.core.models.assignments import ModelAssignments
from processors.core.models.model import Slot
from processors.core.offsets.partition import Partition
from processors.stream.accounting import Accounting
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import DecisionContexts
from processors.stream.pipeline import Pipeline
from processors.stream.ports import WindowScorer
from processors.stream.rebuild import StateRebuild
from processors.stream.silence import SilenceWatch
from processors.stream.states import States
from processors.stream.unfinished import Acknowledge
from schemas.device import Device
from schemas.record import Record
from schemas.score import Score
from schemas.topics import AUDIO, DEVICES, MODEL_STATUS, SCORES, Topic

_log = structlog.get_logger(__name__)

_MAX_HASHED_KEY_BYTES = 4_096


def new_app(options: WorkerOptions) -> App:
    """A Faust app with the verified settings, without agents."""
    app = App(
        options.group,
        broker=broker_urls(options.kafka),
        broker_credentials=broker_credentials(options.kafka),
        autodiscover=False,
        value_serializer="raw",
        key_serializer="raw",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        broker_commit_interval=0.5,
        broker_session_timeout=12.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=30.0,
        broker_max_poll_interval=1e6,
        broker_max_poll_records=500,
        broker_client_id="tocsin-worker",
        consumer_max_fetch_size=1024 * 1024,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=options.instance_id,
        stream_buffer_maxsize=2048,
        stream_wait_empty=False,
        producer_request_timeout=30.0,
        producer_max_request_size=2 * 1024 * 1024,
        agent_supervisor=mode.CrashingSupervisor,
    )
    app.byte_budget = ByteBudget(options.record_bytes)
    install(app)
    return app


class Worker:
    """One worker's components, connected to its Faust app. Nothing connects to Kafka or Redis before Faust starts it.

    Args:
        options: see :class:`processors.app.options.WorkerOptions`.
        scorer: scores windows; a :class:`processors.stream.batch_scorer.BatchScorer` unless given.
        health: where readiness is noted.

    Attributes:
        collector: of the worker's metrics.
    """

    def __init__(
        self, options: WorkerOptions, scorer: WindowScorer | None = None, health: Health | None = None
    ) -> None:
        self.app = new_app(options)
        self._options = options
        self._health = Health(CHECKS) if health is None else health
        self._health.set("start", "reads manifests, models and states", lasting=True)
        self._counts = StreamCounts()
        detectors = load_detectors(options.detectors)
        self._models = ModelAssignments(load_shipped_models(detectors))
        trusted = _trusted_keys(options)
        self._assigned = AssignedModels(
            options.kafka,
            self._models,
            _source(options, trusted),
            lambda status: self._send([(MODEL_STATUS, status)]),
            detectors,
            announcements=Announcements(trusted, options.model_cache),
            on_refused=lambda error: self._counts.models_refused.update((error,)),
        )
        self._manifests = CompactedTopicFollower(options.kafka, DEVICES, Device)
        self._policies = Policies(options.kafka)
        self._feedback = FeedbackFollower(options.kafka)
        self._followers: tuple[TopicFollower, ...] = (self._manifests, self._policies, self._feedback)
        self._contexts = DecisionContexts(self._policies, self._kind_of, AUDIO.name, detectors)
        self._store = RedisStates(
            options.redis_url, is_announced=lambda device_id: self._manifests.get(device_id) is not None
        )
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._unfinished = KafkaUnfinishedLog(options.kafka, self._send_to_partitions)
        self._log = KafkaScoreLog(options.kafka)
        rebuild = StateRebuild(
            self._log, self._context_of_score, self._feedback.of, lambda: self._batches.report_progress()
        )
        self._states = States(self._store, rebuild=rebuild)
        accounting = Accounting(self._counts)
        Consumer.on_records_lost = staticmethod(accounting.records_lost)
        self._pipeline = Pipeline(
            scorer=BatchScorer() if scorer is None else scorer,
            contexts=self._contexts,
            feedback_of=self._feedback.of,
            states=self._states,
            manifests=self._manifests,
            model_sets=self._models,
            detectors=detectors,
            send=self._send,
            send_scores=self._send_scores,
            unfinished=self._unfinished,
            executor=self._executor,
            default_kind=options.default_kind,
            window_bytes=options.window_bytes,
            refuse=self._assigned.refuse,
            accounting=accounting,
            silence=SilenceWatch(options.no_sound_s, self._log.last_alerts, lambda: self._monitor.is_caught_up),
        )
        self._batches = BatchLoop(
            self._pipeline, lambda: self.app.consumer_generation_id, options, self.app.byte_budget
        )
        self._ready = False
        self._monitor = Monitor(
            self._health,
            self._manifests.check_broker,
            self._store.check_writable,
            lambda: unread_records(self.app.consumer),
            self._batches.batch_age_s,
            lambda: self._batches.is_assigned,
            self._oldest_age_s,
        )
        self.collector = StreamCollector(self._counts, self._gauges(), by_device=options.metrics_by_device)
        self._connect()

    def _connect(self) -> None:
        app = self.app
        channel = app.topic(AUDIO.name, value_serializer="raw", key_serializer="raw")
        app.agent(channel, name="audio", concurrency=1)(self._batches.enqueue)
        app.task(self._run)
        app.task(self._watch)
        app.task(self._monitor.run)
        app.task(self._watch_access)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        app.on_before_shutdown.connect(self._on_before_shutdown, weak=False)

    async def _run(self) -> None:
        try:
            for follower in self._followers:
                await follower.start()
            await self._unfinished.start()
            await self._assigned.start()
            await self._log.start()
            self._ready = True
            self._health.set("start", lasting=True)
            _log.info("worker is ready", group=self._options.group, kafka=str(self._options.kafka))
            await self._batches.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if denial := right_denied(error, self._options.kafka, "Write"):
                end_for_user(denial)
            _log.exception("the worker stops, nothing of this batch is acknowledged")
            await crash(self.app, error)
            raise

    async def _watch(self) -> None:
        detector = StallDetector(self._options.stall_s)
        batches = self._batches
        if await watch(detector, lambda: batches.handled, self._is_behind, lambda: batches.is_stopping):
            _log.error("the worker stops: there is work and none is done", for_s=self._options.stall_s)
            await crash(self.app, RuntimeError("no progress"))

    async def _watch_access(self) -> None:
        await watch_access(self._options.kafka, self._options.group, lambda: self._batches.is_stopping)

    async def _is_behind(self) -> bool:
        return self._batches.is_assigned and self._ready and bool(await unread_records(self.app.consumer))

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        self._batches.on_revoked()

    async def _on_assigned(self, *arguments: Any, **__: Any) -> None:
        _, assigned = arguments
        self._batches.on_assigned(place.partition for place in assigned if place.topic == AUDIO.name)

    async def _on_before_shutdown(self, *_: Any, **__: Any) -> None:
        self._health.set("start", "the worker stops", lasting=True)
        await shut_down(self._batches, self._close)

    def _gauges(self) -> tuple[Gauge, ...]:
        states = self._states
        return (
            Gauge("tocsin_lag_records", "Audio records not fetched yet.", lambda: self._monitor.lag),
            Gauge("tocsin_oldest_unscored_age_seconds", "Age of the oldest record that waits.", self._oldest_age_s),
            Gauge("tocsin_devices", "Devices with a stream.", self._count_devices),
            Gauge("tocsin_states_cached", "Detector states held in memory.", lambda: states.cached),
            Gauge("tocsin_record_bytes", "Records fetched and not handled.", lambda: self.app.byte_budget.used),
            Gauge("tocsin_record_limit_bytes", "Most bytes of such.", lambda: self.app.byte_budget.limit),
            Gauge("tocsin_window_bytes", "Unfinished windows in memory.", lambda: self._pipeline.window_bytes_used),
            Gauge("tocsin_window_limit_bytes", "Most bytes of such.", lambda: self._options.window_bytes),
            Gauge("tocsin_degraded", "1 while Redis cannot be used.", lambda: states.degraded),
            Gauge("tocsin_degraded_seconds", "Time without Redis.", lambda: states.degraded_s, counts_up=True),
            Gauge(
                "tocsin_state_rebuilds", "Partitions brought up to the scores.", lambda: states.rebuilds, counts_up=True
            ),
            Gauge("tocsin_commits", "Offsets of a partition committed.", lambda: Consumer.commits, counts_up=True),
        )

    def _oldest_age_s(self) -> float:
        oldest_ms = [found for one in self._partitions() if (found := one.oldest_ms) is not None]
        return max(0.0, time.time() - min(oldest_ms) / 1_000) if oldest_ms else 0.0

    def _count_devices(self) -> int:
        return sum(len(partition.devices) for partition in self._partitions())

    def _partitions(self) -> list[Partition[Acknowledge]]:
        return list(self._pipeline.partitions.values())

    async def _close(self) -> None:
        await self._pipeline.finish()
        await self._assigned.stop()
        await self._unfinished.stop()
        for follower in self._followers:
            await follower.stop()
        await self._log.stop()
        await self._store.close()
        self._executor.shutdown(wait=False)

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        producer = self.app.producer
        pending = [
            await producer.send(topic.name, record.key, record.value, _place(record), None, list(record.headers))
            for topic, record in messages
        ]
        await asyncio.gather(*pending)

    async def _send_to_partitions(self, topic: Topic, records: Sequence[tuple[int, Record]]) -> list[int]:
        """Sends records, each to a partition; returns their offsets once Kafka has confirmed them all."""
        producer = self.app.producer
        pending = [
            await producer.send(topic.name, record.key, record.value, partition, None, list(record.headers))
            for partition, record in records
        ]
        return [place.offset for place in await asyncio.gather(*pending)]

    async def _send_scores(self, scores: Sequence[tuple[int, Record]]) -> Mapping[int, int]:
        placed = [(self._log.partition_of(partition), record) for partition, record in scores]
        ends: dict[int, int] = {}
        for (partition, _), offset in zip(scores, await self._send_to_partitions(SCORES, placed), strict=True):
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        return ends

    def _kind_of(self, device_id: str) -> str:
        device = self._manifests.get(device_id)
        return self._options.default_kind if device is None else device.kind

    def _context_of_score(self, score: Score) -> DecisionContext | None:
        """What decided on a stored score; None where its model no longer scores the device."""
        kind = self._kind_of(score.device_id)
        model_set = self._models.model_set(score.device_id, kind, (score.detector,))
        model = model_set.get(Slot(score.detector, score.stage))
        if model is None or model.ref.sha256 != score.model.sha256:
            return None
        return self._contexts.of_model(score.device_id, score.detector, model)


def _place(record: Record) -> int | None:
    """The partition for a record whose key is not one of ours: the client takes 0.3 s to hash a key of a megabyte."""
    return 0 if record.key is not None and len(record.key) > _MAX_HASHED_KEY_BYTES else None


def _source(options: WorkerOptions, trusted: Sequence[Ed25519PublicKey]) -> ModelSource:
    return ModelSource(ArtefactStore(options.model_store), ModelCache(options.model_cache), trusted)


def _trusted_keys(options: WorkerOptions) -> tuple[Ed25519PublicKey, ...]:
    if options.model_trusted is not None:
        return load_trusted_keys(options.model_trusted)
    _log.warning("no key is trusted: whoever can write to the models topic chooses what scores; TOCSIN_MODEL_TRUSTED")
    return ()
