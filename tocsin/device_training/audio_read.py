"""Reads a device's last sound back: only its partition, and no further back than needed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aiokafka.partitioner import DefaultPartitioner

from schemas.device import Device
from schemas.errors import SettingsError
from schemas.topics import AUDIO
from tocsin.capture.labels import alert_intervals_of
from tocsin.capture.progress import steps
from tocsin.client.alerts import AlertLog
from tocsin.client.audio import OffsetRange, Playback, playback
from tocsin.client.devices import near
from tocsin.device_training.device_audio import OwnSound, Recorder, Span

# How many times further back each try goes than the one before, where pauses and alerts have left too little.
_FURTHER = 4


async def listen(
    bootstrap: str, device_id: str, seconds: float, guard_s: float, fleet: Mapping[str, Device]
) -> OwnSound:
    """The last ``seconds`` of a device's sound that no alert casts doubt on; less where the topic holds less.

    Args:
        bootstrap: Kafka's address.
        device_id: whose.
        seconds: how much.
        guard_s: left out before an alert opened and after it closed. An alert judged false leaves nothing out.
        fleet: manifests by device.

    Raises:
        SettingsError: the topic holds no sound of this device.
        BrokerUnavailable: Kafka does not answer.
    """
    doubtful = await _doubtful_spans(bootstrap, device_id, int(guard_s * 1e9))
    async with playback(bootstrap) as topic:
        # All producers put a device where the default partitioner of Kafka's clients does.
        partition = DefaultPartitioner()(device_id.encode(), topic.partitions, topic.partitions)
        whole = next((one for one in await topic.stretches(0) if one.partition == partition), None)
        recorder = Recorder(seconds, doubtful)
        back_s = seconds + guard_s
        begin = None if whole is None else whole.end_offset
        while whole is not None and begin != whole.first_offset and not recorder.full:
            since_ms = time.time_ns() // 1_000_000 - int(1_000 * back_s)
            later = next((one for one in await topic.stretches(since_ms) if one.partition == partition), None)
            begin = whole.end_offset if later is None else min(later.first_offset, whole.end_offset)
            recorder = Recorder(seconds, doubtful)
            await _replay(topic, OffsetRange(partition, begin, whole.end_offset), device_id, fleet, recorder)
            back_s *= _FURTHER
    sound = recorder.sound()
    if not sound.heard_s:
        raise SettingsError(_why_nothing(device_id, fleet))
    return sound


async def _doubtful_spans(bootstrap: str, device_id: str, guard_ns: int) -> list[Span]:
    doubts = alert_intervals_of(await AlertLog.read(bootstrap)).get(device_id, [])
    return [(one.begin_ns - guard_ns, one.end_ns + guard_ns) for one in doubts if one.judgement != "false-alarm"]


async def _replay(
    topic: Playback, stretch: OffsetRange, device_id: str, fleet: Mapping[str, Device], recorder: Recorder
) -> None:
    told = stretch.first_offset
    with steps(f"listening to {device_id}", stretch.end_offset - stretch.first_offset, "records") as advance:
        async for played in topic.play(stretch, device_id.__eq__, fleet):
            recorder.take(played)
            advance(played.offset - told)
            told = played.offset


def _why_nothing(device_id: str, fleet: Mapping[str, Device]) -> str:
    if device_id not in fleet:
        return f"no device {device_id!r}: {near(list(fleet), [device_id])}"
    return (
        f"{device_id}: the topic {AUDIO.name} holds no sound of it; sound is kept for"
        f" {AUDIO.retention_ms // 3_600_000} h unless the topic's retention was raised. Does its producer run?"
    )
