"""Cost of decisions with stored states: a real Redis and ten thousand devices with full references."""

from __future__ import annotations

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import redis
from redis.asyncio.connection import AbstractConnection

from benchmarks.thresholds.distributions import days
from benchmarks.thresholds.rule_run import run_rule
from connections.kafka import KafkaConnection
from processors.adapters.models.detectors import load_detectors
from processors.adapters.models.onnx_model import load_shipped
from processors.adapters.redis.redis_states import RedisStates
from processors.adapters.redis.state_codec import StateTexts, deflate_state
from processors.adapters.redis.state_store import Change, state_key
from processors.app.options import WorkerOptions
from processors.core.alerting.decision import ScoredWindow, decide
from processors.core.alerting.decision_context import DecisionContext, hop_of
from processors.core.alerting.detector_state import DetectorState
from processors.core.models.model import Slot
from processors.core.threshold.block_rule import BlockRule
from processors.core.threshold.budget import budget_plan
from processors.core.threshold.regime import enter_regime
from processors.core.windowing.window import Window
from processors.stream.decision_contexts import context_of
from processors.stream.states import States
from tocsin.stack import ports
from tocsin.stack.parts import components_folder
from tocsin.stack.programs import find_redis
from tocsin.stack.redis_service import RedisService
from tocsin.stack.service import ServiceTies

Figures = dict[str, Any]

DEVICES = 10_000
_WINDOWS = 4_000
_SLICE = 500
_LARGEST_STATE_PER_WEEK = 1.17
_SLOT = Slot("machine", "champion")
_RATE, _HOP = 16_000, 15_360
_BEGAN_NS = 1_800_000_000_000_000_000


class _RoundTrips:
    """Counts round trips to Redis: a pipeline is one, since its replies come back together."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def _counted() -> Iterator[_RoundTrips]:
    sent, plain = _RoundTrips(), AbstractConnection.send_packed_command

    async def send(self: AbstractConnection, command: Any, check_health: bool = True) -> None:
        sent.count += 1
        await plain(self, command, check_health)

    AbstractConnection.send_packed_command = send  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        AbstractConnection.send_packed_command = plain  # type: ignore[method-assign]


@contextmanager
def _redis() -> Iterator[str]:
    """A temporary Redis server, started as the local stack starts it."""
    with tempfile.TemporaryDirectory() as folder:
        lock = os.open(folder, os.O_RDONLY)
        ties = ServiceTies(lock, tied=True, changed=lambda: None)
        redis = find_redis(components_folder(), print)
        service = RedisService(Path(folder) / "redis", ports.choose(None, ()), redis, ties)
        try:
            service.start()
            yield service.address
        finally:
            service.terminate()
            os.close(lock)


def storage(devices: int = DEVICES) -> Figures:
    """Bytes, round trips and time of storing the states of ``devices`` devices; scores are Gamma(4, 1)."""
    with _redis() as url:
        return asyncio.run(_storage(url, devices))


async def _storage(url: str, devices: int) -> Figures:
    model = load_shipped("machine")
    context = context_of(load_detectors()["machine"], model, "tocsin.audio.v1")
    scores = np.random.default_rng(5).standard_gamma(4.0, _WINDOWS).tolist()
    rows = np.zeros((model.spec.n_frames, model.spec.width), np.float32)

    def window(device: int, number: int) -> ScoredWindow:
        fields = (number * _HOP, 2 * _HOP, _RATE, _BEGAN_NS + number * hop_of(model.spec), -30.0)
        cut = Window(f"device-{device:05d}", "session", _SLOT, model, *fields, rows, number, number + 3)
        return ScoredWindow(cut, 0, scores[(device + number) % _WINDOWS], None)

    grown = _grown(context, window(0, 0))
    several = _grown(context, window(0, 0), regimes=2)
    # This budget needs the most days and regimes.
    most = _grown(replace(context, plan=budget_plan(_LARGEST_STATE_PER_WEEK)), window(0, 0), regimes=3)
    store, client = RedisStates(url, timeout_s=10.0), redis.Redis.from_url(url)
    before = client.info("memory")["used_memory"]
    keys = [state_key(window(device, 0).window.device_id, _SLOT) for device in range(devices)]
    for first in range(0, devices, _SLICE):
        await store.store([Change(key, None, grown) for key in keys[first : first + _SLICE]])
    states, batch = States(store), min(WorkerOptions(KafkaConnection("localhost:9092"), "").batch_chunks, devices)
    taken: list[float] = []
    trips: dict[int, list[int]] = {1: [], 2: []}
    with _counted() as sent:
        for number in trips:
            for first in range(0, devices - batch + 1, batch):
                windows = [window(device, number) for device in range(first, first + batch)]
                began, count = time.perf_counter(), sent.count
                await states.apply(lambda _: context, windows)
                taken.append(time.perf_counter() - began)
                trips[number].append(sent.count - count)
    new, known = trips.values()
    used = client.info("memory")["used_memory"] - before
    body = len(client.hget("tocsin:state:v2:" + "/".join(keys[0]), "body") or b"")
    client.close()
    await store.close()
    return {
        "devices": devices,
        "devices_a_batch": batch,
        "round_trips_a_batch": max(known),
        "round_trips_new_devices": max(new),
        "ms_a_batch": round(1e3 * statistics.median(taken[len(new) :]), 2),
        "body_bytes": body,
        "body_bytes_after_model_change": body + _bytes(_swapped(grown)) - _bytes(grown),
        "body_bytes_2_regimes": _bytes(_swapped(several)),
        "body_bytes_most_regimes": _bytes(_swapped(most)),
        "text_bytes_most_regimes": len(_swapped(most).model_dump_json()),
        "most_regimes": 1 + len(most.current_model.block_state.inactive_regimes) if most.current_model else 0,
        "redis_bytes_a_device": round(used / devices),
        "redis_mib": round(used / 2**20, 1),
        "us_to_deflate": _deflating(_swapped(several)),
        "us_a_window": _microseconds(context, grown, [window(0, number) for number in range(1, _WINDOWS)]),
    }


def _grown(context: DecisionContext, first: ScoredWindow, regimes: int = 1) -> DetectorState:
    """The state of a device observed for longer than its reference holds, in each regime."""
    state, _ = decide(DetectorState(), lambda _: context, [first])
    learned = state.current_model
    if learned is None:
        raise ValueError("the decided window left no calibration")
    memory, rule = learned.block_state, BlockRule(context.plan, learned.prior)
    for number, regime in enumerate(("", "night", "idle")[:regimes]):
        memory = enter_regime(rule, memory, regime)
        for scores in days("gamma", (6, number), context.plan.days + 3):
            memory, _ = run_rule(rule, memory, scores)
    return state.model_copy(update={"current_model": learned._replace(block_state=memory), "outbox": ()})


def _swapped(state: DetectorState) -> DetectorState:
    """The same after a model change with a full reference for the new model, and the maximum of past sessions."""
    old = state.current_model and state.current_model._replace(block_state=state.current_model.block_state.compacted())
    sessions = tuple(hashlib.sha256(bytes([n])).hexdigest()[:32] for n in range(16))
    return state.model_copy(update={"previous_model": old, "past_sessions": sessions})


def _bytes(state: DetectorState) -> int:
    return len(deflate_state(state.model_dump_json()))


def _deflating(state: DetectorState) -> float:
    """CPU time of compressing one state's text, microseconds; the minimum of five runs."""
    text, taken = state.model_dump_json(), []
    for _ in range(5):
        began = time.process_time()
        for _ in range(_SLICE):
            deflate_state(text)
        taken.append(time.process_time() - began)
    return round(1e6 * min(taken) / _SLICE, 1)


def _microseconds(context: DecisionContext, state: DetectorState, windows: list[ScoredWindow]) -> dict[str, float]:
    """CPU time of one window in each step, one window per batch, microseconds; the minimum of five runs."""
    key, texts = state_key(windows[0].window.device_id, _SLOT), StateTexts()
    taken: dict[str, list[float]] = {"decision": [], "record": [], "state as text": []}
    for _ in range(5):
        decided, here = [], state
        began = time.process_time()
        for scored in windows:
            here, outputs = decide(here, lambda _: context, [scored])
            decided.append((here, outputs[0]))
        taken["decision"].append(time.process_time() - began)
        began = time.process_time()
        for _, output in decided:
            output.score.to_record()
        taken["record"].append(time.process_time() - began)
        began = time.process_time()
        for after, _ in decided:
            texts.of(key, after)
        taken["state as text"].append(time.process_time() - began)
    return {name: round(1e6 * min(times) / len(windows), 1) for name, times in taken.items()}
