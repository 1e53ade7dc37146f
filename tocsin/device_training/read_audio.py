"""Reads a device's latest sound back: only its partition, and no further back than needed."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aiokafka.partitioner import DefaultPartitioner

from connections.kafka import KafkaConnection
from schemas.device import Device
from schemas.errors import SettingsError
from schemas.topics import AUDIO
from tocsin.capture.labels import alert_intervals_of
from tocsin.capture.progress import progress_bar
from tocsin.client.alerts import AlertLog
from tocsin.client.audio_reader import AudioReader, OffsetRange, audio_reader
from tocsin.client.devices import near
from tocsin.device_training.device_audio import DeviceAudio, Recorder, Span

# Factor by which each attempt reaches further back, if pauses and alerts have left too little sound.
_BACK_FACTOR = 4


async def read_device_audio(
    bootstrap: KafkaConnection, device_id: str, seconds: float, guard_s: float, fleet: Mapping[str, Device]
) -> DeviceAudio:
    """The last ``seconds`` of a device's sound away from alerts; less if the topic holds less.

    Args:
        bootstrap: the connection to Kafka.
        device_id: the device.
        seconds: amount of sound.
        guard_s: left out before an alert opened and after it closed; a false alarm excludes nothing.
        fleet: manifests by device.

    Raises:
        SettingsError: the topic holds no sound of this device.
        BrokerUnavailable: Kafka does not answer.
    """
    excluded = await _excluded_spans(bootstrap, device_id, int(guard_s * 1e9))
    async with audio_reader(bootstrap) as reader:
        # All producers use the default partitioner of Kafka's clients.
        partition = DefaultPartitioner()(device_id.encode(), reader.partitions, reader.partitions)
        everything = next((one for one in await reader.offset_ranges(0) if one.partition == partition), None)
        recorder = Recorder(seconds, excluded)
        back_s = seconds + guard_s
        begin = None if everything is None else everything.end_offset
        while everything is not None and begin != everything.first_offset and not recorder.full:
            since_ms = time.time_ns() // 1_000_000 - int(1_000 * back_s)
            recent = next((one for one in await reader.offset_ranges(since_ms) if one.partition == partition), None)
            begin = everything.end_offset if recent is None else min(recent.first_offset, everything.end_offset)
            recorder = Recorder(seconds, excluded)
            await _record(reader, OffsetRange(partition, begin, everything.end_offset), device_id, fleet, recorder)
            back_s *= _BACK_FACTOR
    audio = recorder.audio()
    if not audio.observed_s:
        raise SettingsError(_no_audio(device_id, fleet))
    return audio


async def _excluded_spans(bootstrap: KafkaConnection, device_id: str, guard_ns: int) -> list[Span]:
    intervals = alert_intervals_of(await AlertLog.read(bootstrap)).get(device_id, [])
    return [(one.begin_ns - guard_ns, one.end_ns + guard_ns) for one in intervals if one.judgement != "false-alarm"]


async def _record(
    reader: AudioReader, offsets: OffsetRange, device_id: str, fleet: Mapping[str, Device], recorder: Recorder
) -> None:
    position = offsets.first_offset
    with progress_bar(f"reading {device_id}", offsets.end_offset - offsets.first_offset, "records") as advance:
        async for replayed in reader.replay(offsets, device_id.__eq__, fleet):
            recorder.add(replayed)
            advance(replayed.offset - position)
            position = replayed.offset


def _no_audio(device_id: str, fleet: Mapping[str, Device]) -> str:
    if device_id not in fleet:
        return f"no device {device_id!r}: {near(list(fleet), [device_id])}"
    return (
        f"{device_id}: the topic {AUDIO.name} holds no sound of it; sound is retained for"
        f" {AUDIO.retention_ms // 3_600_000} h unless the topic's retention was raised. Does its producer run?"
    )
