"""`tocsin devices`: the fleet as its manifests say."""

from __future__ import annotations

import asyncio
import json as json_format
import time
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from processors.core.alerting.detectors import detectors_of
from schemas.device import Device
from schemas.policy import DEFAULT_FALSE_ALARMS_PER_WEEK, Policy, applicable
from tocsin.addresses import kafka_address
from tocsin.cli.commands.explain import explain
from tocsin.cli.commands.normal import normal
from tocsin.cli.commands.policy import read_policies, sensitivity
from tocsin.client.alerts import AlertLog
from tocsin.client.devices import read_fleet
from tocsin.settings import load_settings

devices = typer.Typer(
    name="devices", add_completion=False, help="Look at the fleet, and set what it promises.", no_args_is_help=True
)

_SOUND = "full scale"
_WIDE = 100
"""Columns of a terminal from which on there is room for descriptions."""
_WEEK_NS = 7 * 86_400 * 1_000_000_000

devices.command("sensitivity")(sensitivity)
devices.command("explain")(explain)
devices.command("normal")(normal)


@devices.command("list")
def list_devices(
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the manifest and how it has kept.")
    ] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """List the devices that have announced themselves, and how each kept its promise in the last seven days.

    While a machine is learned three times the promise holds, if that is no more than three a week: how many alerts
    a device raised while it was learned stands beside them.
    """
    bootstrap = kafka_address(load_settings(), kafka)
    fleet, policies, log = asyncio.run(_read(bootstrap))
    opened = log.opened_since(time.time_ns() - _WEEK_NS)
    console = Console()
    columns = ["device", "kind", "sound", "alerts, 7 d", "judged false", "promised, 7 d"]
    wide = console.width >= _WIDE
    table = Table(*(Column(name, no_wrap=name == "device") for name in columns), box=SIMPLE_HEAD)
    if wide:
        table.add_column("description")
    for device in fleet.values():
        alerts = opened.get(device.device_id, [])
        kept = log.kept_of(alerts)
        learning = kept["while_learning_7d"]
        promised = {name: _promised(policies, device, name) for name in detectors_of(device)}
        if json:
            told = {**kept, "promised_false_alarms_per_week": promised}
            print(json_format.dumps({**device.model_dump(mode="json"), "kept": told}))
            continue
        rate = "any rate" if device.sample_rate is None else f"{device.sample_rate} Hz"
        table.add_row(
            device.device_id,
            device.kind,
            rate if device.unit == _SOUND else f"{rate}, ±{device.full_scale:g} {device.unit}",
            f"{len(alerts)}, {learning} learning" if learning else str(len(alerts)),
            str(kept["judged_false_7d"]),
            ", ".join(f"{name} {value:g}" for name, value in promised.items()),
            *([device.description] if wide else []),
        )
    if not json:
        console.print(table)


async def _read(bootstrap: str) -> tuple[dict[str, Device], list[Policy], AlertLog]:
    return await read_fleet(bootstrap), await read_policies(bootstrap), await AlertLog.read(bootstrap)


def _promised(policies: list[Policy], device: Device, detector: str) -> float:
    by_key = {policy.key(): policy for policy in policies}
    policy = applicable(by_key, device.device_id, device.kind, detector)
    return DEFAULT_FALSE_ALARMS_PER_WEEK if policy is None else policy.false_alarms_per_week
