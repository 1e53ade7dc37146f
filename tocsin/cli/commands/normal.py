"""`tocsin devices normal`: an operator says that what sounds now is normal."""

from __future__ import annotations

import asyncio
import getpass
import time
from typing import Annotated

import typer

from processors.core.alerting.detectors import detectors_of
from schemas.errors import SettingsError
from schemas.feedback import DeviceFeedback
from schemas.topics import FEEDBACK
from tocsin.addresses import kafka_address
from tocsin.client.devices import near, read_fleet
from tocsin.client.topic_writer import write_records
from tocsin.settings import load_settings


def normal(
    device: Annotated[str, typer.Argument(help="The device's id.")],
    detector: Annotated[str | None, typer.Option(help="One detector only; all of the device's unless given.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last one back.")] = False,
    note: Annotated[str, typer.Option(help="Why, for people.")] = "",
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Say that a device's sound is normal as it is: after a repair, a move or a drift that is harmless.

    An open alert's sound becomes the usual sound; without one, today's does. The reference before is kept for --undo.
    """
    bootstrap = kafka_address(load_settings(), kafka)
    fleet = asyncio.run(read_fleet(bootstrap))
    if device not in fleet:
        raise SettingsError(f"no device {device!r}; {near(fleet, [device])}")
    names = detectors_of(fleet[device])
    if detector is not None and detector not in names:
        raise SettingsError(f"{device!r} has no detector {detector!r}; it has {', '.join(names)}")
    said = [
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
    asyncio.run(write_records(bootstrap, [(FEEDBACK, one.to_record()) for one in said]))
    what = "the last word is taken back" if undo else "its sound is the usual sound from now on"
    print(f"{device}, {', '.join(one.detector for one in said)}: {what}; workers follow with its next window")
