"""`tocsin devices`: the fleet as its manifests say."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from processors.core.detectors import detectors_of
from tocsin.addresses import kafka_address
from tocsin.commands.explain import explain
from tocsin.commands.normal import normal
from tocsin.commands.sensitivity import sensitivity
from tocsin.fleet import read_fleet
from tocsin.settings import load_settings

devices = typer.Typer(name="devices", help="Look at the fleet, and set what it promises.", no_args_is_help=True)


devices.command("sensitivity")(sensitivity)
devices.command("explain")(explain)
devices.command("normal")(normal)


@devices.command("list")
def list_devices(
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """List the devices that have announced themselves."""
    fleet = asyncio.run(read_fleet(kafka_address(load_settings(), kafka))).values()
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
