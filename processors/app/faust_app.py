"""The Faust app: one agent that queues, one task that handles batches, and the rules that keep acknowledgements right.

The form is the one that lost nothing on a real broker through kills, joins, zombies and broker restarts; its reasons
stand in docs/adr/0003-acknowledge-by-frontier.md.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
import mode
import structlog
from aiokafka.errors import KafkaError

from processors.adapters.kafka.device_registry import DeviceRegistry
from processors.adapters.kafka.feedback import FeedbackFollower
from processors.adapters.kafka.policies import Policies
from processors.adapters.kafka.score_history import score_consumer
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.assigned import AssignedModels
from processors.adapters.models.cache import ModelCache
from processors.adapters.models.onnx_model import OnnxModel, load_shipped
from processors.adapters.models.signing import load_trusted_keys
from processors.adapters.models.source import ModelSource
from processors.adapters.redis.redis_states import RedisStates
from processors.app.options import WorkerOptions
from processors.app.progress import Progress
from processors.app.transport import App, install
from processors.core.alerting.decision_context import DecisionContext
from processors.core.alerting.detectors import DETECTORS
from processors.core.models.assignments import ModelAssignments
from processors.core.models.model import Slot
from processors.stream.batch_scorer import BatchScorer
from processors.stream.decision_contexts import DecisionContexts
from processors.stream.pipeline import Delivery, Pipeline, WindowScorer
from processors.stream.rebuild import rebuild
from processors.stream.states import States
from schemas.errors import RedisUnavailable
from schemas.record import Record
from schemas.score import Score
from schemas.topics import AUDIO, MODEL_STATUS, Topic

_log = structlog.get_logger(__name__)

EXIT_CRASH = 70
"""The process ends with this when a crash's own shutdown hangs."""
_HARD_EXIT_S = 3.0
_DRAIN_S = 10.0
_SHUTDOWN_S = 18.0
_WATCH_S = 10.0
_REBUILD_S = 600


def load_models() -> dict[str, OnnxModel]:
    """The shipped models by detector, verified.

    Raises:
        ModelRefused: one does not pass its checks.
    """
    return {name: load_shipped(name) for name in DETECTORS}


def new_app(options: WorkerOptions) -> faust.App:
    """A Faust app with the verified settings, without agents."""
    app = App(
        options.group,
        broker=";".join(f"kafka://{address.strip()}" for address in options.kafka.split(",")),
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
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=options.instance_id,
        stream_buffer_maxsize=2048,
        stream_wait_empty=False,
        producer_request_timeout=30.0,
        producer_max_request_size=2 * 1024 * 1024,
        agent_supervisor=mode.CrashingSupervisor,
    )
    install(app)
    return app


class Worker:
    """Wires the app to the pipeline. Nothing connects before Faust starts it.

    Args:
        options: see :class:`processors.app.options.WorkerOptions`.
        wrap: replaces the ears, for tests that make them fail.
    """

    def __init__(
        self, options: WorkerOptions, wrap: Callable[[WindowScorer], WindowScorer] = lambda ears: ears
    ) -> None:
        self.app = new_app(options)
        self._options = options
        self._models = ModelAssignments(load_models())
        self._assigned = AssignedModels(
            options.kafka, self._models, _source(options), lambda status: self._send([(MODEL_STATUS, status)])
        )
        self._registry = DeviceRegistry(options.kafka)
        self._policies = Policies(options.kafka)
        self._feedback = FeedbackFollower(options.kafka)
        self._judges = DecisionContexts(self._policies, self._kind_of, AUDIO.name)
        self._store = RedisStates(options.redis_url)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="listener")
        self._pipeline = Pipeline(
            ears=wrap(BatchScorer()),
            judges=self._judges,
            feedback_of=self._feedback.of,
            states=States(self._store),
            registry=self._registry,
            model_sets=self._models,
            send=self._send,
            executor=self._executor,
            default_kind=options.default_kind,
        )
        self._queue: asyncio.Queue[tuple[int, Any]] = asyncio.Queue(4 * options.batch_chunks)
        self._busy = asyncio.Lock()
        self._epoch = 0
        self._live = False
        self._stopping = False
        self._ready = False
        self._progress = Progress(options.stall_s)
        self._wire()

    @property
    def _followers(self) -> tuple[DeviceRegistry, Policies, FeedbackFollower]:
        return self._registry, self._policies, self._feedback

    def _kind_of(self, device_id: str) -> str:
        device = self._registry.get(device_id)
        return self._options.default_kind if device is None else device.kind

    def _wire(self) -> None:
        app = self.app
        channel = app.topic(AUDIO.name, value_serializer="raw", key_serializer="raw")
        app.agent(channel, name="hear", concurrency=1)(self._take)
        app.task(self._run)
        app.task(self._watch)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        app.on_before_shutdown.connect(self._on_before_shutdown, weak=False)

    async def _take(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._queue.put((self._epoch, event))

    async def _run(self) -> None:
        try:
            for follower in self._followers:
                await follower.start()
            await self._assigned.start()
            await self._rebuild_states()
            self._ready = True
            _log.info("worker is ready", group=self._options.group, kafka=self._options.kafka)
            while not self._stopping:
                batch = await self._next_batch()
                async with self._busy:
                    if not self._stopping:
                        await asyncio.wait_for(self._handle(batch), self._options.stall_s)
                        self._progress.handled += 1
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            _log.exception("the worker stops, nothing of this batch is acknowledged")
            await self._crash(error)
            raise

    async def _rebuild_states(self) -> None:
        """Where Redis has lost the states, one worker reads them back from the scores; the others wait for it."""
        loop = asyncio.get_running_loop()
        end, waiting = loop.time() + _REBUILD_S, False
        try:
            while not await self._store.is_whole() and loop.time() < end:
                async with self._store.claim() as mine:
                    if mine:
                        await self._read_states_back()
                        return
                if not waiting:
                    waiting = True
                    _log.info("another worker reads the states back; nothing is scored here meanwhile")
                await asyncio.sleep(1.0)
        except (RedisUnavailable, KafkaError) as error:
            _log.warning("states not read back: devices that Redis does not know begin anew", error=str(error))

    async def _read_states_back(self) -> None:
        async with score_consumer(self._options.kafka) as consumer:
            count = await rebuild(self._store, consumer, self._context_of_score, self._feedback.of)
        await self._store.mark_whole()
        _log.info("states read back from the scores", states=count)

    def _context_of_score(self, score: Score) -> DecisionContext | None:
        kind = self._kind_of(score.device_id)
        model_set = self._models.model_set(score.device_id, kind, (score.detector,))
        model = model_set.get(Slot(score.detector, score.stage))
        if model is None or model.ref.sha256 != score.model.sha256:
            return None
        return self._judges.of_model(score.device_id, score.detector, model)

    async def _watch(self) -> None:
        while not self._stopping:
            await asyncio.sleep(_WATCH_S)
            behind = self._live and self._ready and await self._is_behind()
            if self._progress.stalled(behind=behind, now=asyncio.get_running_loop().time()):
                _log.error("the worker stops: there is work and none is done", for_s=self._options.stall_s)
                await self._crash(RuntimeError("no progress"))
                return

    async def _is_behind(self) -> bool:
        """Whether Kafka holds records of our partitions that were not fetched; False where Kafka does not say."""
        consumer = self.app.consumer
        try:
            async with asyncio.timeout(_WATCH_S):
                mine = [tp for tp in consumer.assignment() if tp.topic == AUDIO.name]
                ends = await consumer.highwaters(*mine) if mine else {}
                positions = {tp: await consumer.position(tp) for tp in mine}
                return any(ends[tp] > (positions[tp] or 0) for tp in mine)
        except (KafkaError, TimeoutError) as error:
            _log.warning("Kafka does not say how far its topic goes", error=repr(error))
            return False

    async def _crash(self, error: BaseException) -> None:
        _exit_hard_after(_HARD_EXIT_S)
        await self.app.crash(error)

    async def _next_batch(self) -> list[tuple[int, Any]]:
        batch = [await self._queue.get()]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.batch_wait_s
        while len(batch) < self._options.batch_chunks:
            try:
                batch.append(self._queue.get_nowait())
            except asyncio.QueueEmpty:
                if (rest := deadline - loop.time()) <= 0:
                    break
                await asyncio.sleep(rest)
        return batch

    async def _handle(self, batch: Sequence[tuple[int, Any]]) -> None:
        epoch = self._epoch
        current = [event for tagged, event in batch if tagged == epoch and self._is_current(event)]
        if self._live and current:
            await self._pipeline.handle(
                [_delivery(event) for event in current], lambda: self._live and self._epoch == epoch
            )

    def _is_current(self, event: Any) -> bool:
        return bool(event.message.generation_id == self.app.consumer_generation_id)

    async def _send(self, messages: Sequence[tuple[Topic, Record]]) -> None:
        producer = self.app.producer
        pending = [
            await producer.send(topic.name, record.key, record.value, None, None, list(record.headers))
            for topic, record in messages
        ]
        await asyncio.gather(*pending)

    def _forget(self) -> None:
        self._epoch += 1
        self._pipeline.forget()
        while not self._queue.empty():
            self._queue.get_nowait()

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        self._live = False
        self._forget()

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        self._forget()
        self._live = True

    async def _on_before_shutdown(self, *_: Any, **__: Any) -> None:
        self._stopping = True
        # Faust's own end waits without a bound for a broker that is away.
        _exit_hard_after(_SHUTDOWN_S)
        try:
            # The running batch ends and is acknowledged; the final commit follows.
            await asyncio.wait_for(self._busy.acquire(), _DRAIN_S)
        except TimeoutError:
            _log.warning("the running batch did not end; it will be read again", waited_s=_DRAIN_S)
            return
        await self._pipeline.finish()
        await self._assigned.stop()
        for follower in self._followers:
            await follower.stop()
        await self._store.close()
        self._executor.shutdown(wait=False)


def _source(options: WorkerOptions) -> ModelSource:
    trusted = () if options.model_trusted is None else load_trusted_keys(options.model_trusted)
    return ModelSource(ArtefactStore(options.model_store), ModelCache(options.model_cache), trusted)


def _delivery(event: Any) -> Delivery:
    message = event.message
    record = Record(message.key, message.value, tuple(message.headers or ()))
    # The event waits for the frontier; its sound need not.
    event.value = message.value = None
    return Delivery(
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=int(message.timestamp * 1000),
        record=record,
        acknowledge=event.ack,
    )


def _exit_hard_after(seconds: float) -> None:
    # After a crash faust may wait for ever for a thread that has ended; nothing in this process can then be asked.
    def end() -> None:
        threading.Event().wait(seconds)
        os._exit(EXIT_CRASH)

    threading.Thread(target=end, name="hard-exit", daemon=True).start()
