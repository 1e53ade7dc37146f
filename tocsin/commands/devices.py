"""`tocsin devices`: the fleet as its manifests say."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from processors.core.detectors import detectors_of
from schemas.device import Device
from schemas.errors import ContractError
from schemas.topics import DEVICES
from tocsin.addresses import kafka_address
from tocsin.settings import load_settings
from tocsin.topic_reader import consumer_of, read_to_end, record_of

devices = typer.Typer(name="devices", help="Look at the fleet.", no_args_is_help=True)


@devices.callback()
def _group() -> None:
    """Look at the fleet."""


@devices.command("list")
def list_devices(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """List the devices that have announced themselves."""
    fleet = asyncio.run(_read(kafka_address(load_settings(), kafka)))
    if json:
        for device in fleet:
            print(device.model_dump_json())
        return
    table = Table("device", "kind", "detectors", "Hz", "unit", "description")
    for device in fleet:
        rate = "any" if device.sample_rate is None else str(device.sample_rate)
        unit = f"{device.unit} (full scale {device.full_scale:g})"
        table.add_row(device.device_id, device.kind, ", ".join(detectors_of(device)), rate, unit, device.description)
    Console().print(table)


async def _read(bootstrap: str) -> list[Device]:
    found: dict[str, Device] = {}
    async with consumer_of(bootstrap, [DEVICES]) as consumer:
        async for message in read_to_end(consumer):
            if message.value is None:
                found.pop((message.key or b"").decode(errors="replace"), None)
                continue
            try:
                device = Device.from_record(record_of(message))
            except ContractError as error:
                print(f"offset {message.offset} is no device manifest: {error}", file=sys.stderr)
                continue
            found[device.device_id] = device
    return [found[name] for name in sorted(found)]
