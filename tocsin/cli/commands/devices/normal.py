"""`tocsin devices normal`: an operator accepts a device's present sound as normal."""

from __future__ import annotations

import asyncio
import getpass
import time
from typing import Annotated

import typer

from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.detectors import detectors_of
from schemas.errors import SettingsError
from schemas.feedback import DeviceFeedback
from schemas.topics import FEEDBACK
from tocsin.addresses import kafka_connection
from tocsin.cli.options import DetectorFilter, DeviceId, Kafka, Note
from tocsin.client.devices import near, read_fleet
from tocsin.client.topic_writer import write_records
from tocsin.settings import load_settings
from tocsin.terminal import print_line


def normal(
    device: DeviceId,
    detector: DetectorFilter = None,
    undo: Annotated[bool, typer.Option("--undo", help="Revert the last `normal` of this device.")] = False,
    note: Note = "",
    kafka: Kafka = None,
) -> None:
    """Accept a device's present sound as normal.

    For use after a repair, a move or a harmless drift. While an alert is open, the sound since it opened becomes the
    reference; otherwise today's sound does. The previous reference is stored for --undo.
    """
    settings = load_settings()
    bootstrap, detectors = kafka_connection(settings, kafka), load_detectors(settings.detectors)
    fleet = asyncio.run(read_fleet(bootstrap))
    if device not in fleet:
        raise SettingsError(f"no device {device!r}; {near(fleet, [device])}")
    names = detectors_of(fleet[device], detectors)
    if detector is not None and detector not in names:
        raise SettingsError(f"{device!r} has no detector {detector!r}; it has {', '.join(names)}")
    feedback = [
        DeviceFeedback(
            device_id=device,
            detector=name,
            action="undo" if undo else "normal",
            note=note,
            by=getpass.getuser(),
            given_ns=time.time_ns(),
        )
        for name in (names if detector is None else (detector,))
    ]
    asyncio.run(write_records(bootstrap, [(FEEDBACK, one.to_record()) for one in feedback]))
    effect = "the last `normal` is reverted" if undo else "its present sound is normal from now on"
    print_line(
        f"{device}, {', '.join(one.detector for one in feedback)}: {effect}; workers apply it with the next window"
    )
