"""`tocsin devices list`: the fleet as its manifests describe it, with the alerts of the last week."""

from __future__ import annotations

import asyncio
import time

from rich.box import SIMPLE_HEAD
from rich.table import Column

from connections.kafka import KafkaConnection
from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.detectors import detectors_of
from schemas.device import Device
from schemas.health_notice import HealthNotice
from schemas.policy import DEFAULT_FALSE_ALARMS_PER_WEEK, Policy, applicable
from schemas.time_text import utc_text
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.devices.policy import read_policies
from tocsin.cli.options import JsonLines, Kafka
from tocsin.client.alerts import AlertLog
from tocsin.client.devices import read_fleet
from tocsin.client.notices import read_health
from tocsin.console import DataTable, terminal
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_line

_FULL_SCALE = "full scale"
_WIDE_COLUMNS = 100
"""Width of a terminal from which there is room for descriptions."""
_DAY_NS = 86_400 * 1_000_000_000
_WEEK_NS = 7 * 86_400 * 1_000_000_000


def list_devices(json: JsonLines = False, kafka: Kafka = None) -> None:
    """List the devices with their alerts and false-alarm budgets.

    Alerts are those of the last 7 days. While a device calibrates, three times its budget applies, up to three a week:
    alerts raised meanwhile are counted separately. Below it: what was wrong in the last 24 hours, and what to do.
    """
    settings = load_settings()
    bootstrap, detectors = kafka_connection(settings, kafka), load_detectors(settings.detectors)
    fleet, policies, log = asyncio.run(_read(bootstrap))
    health = asyncio.run(read_health(bootstrap, time.time_ns() - _DAY_NS))
    opened = log.opened_since(time.time_ns() - _WEEK_NS)
    console = terminal()
    columns = ["device", "kind", "sound", "alerts, 7 d", "judged false", "budget, 7 d"]
    wide = console.width >= _WIDE_COLUMNS
    table = DataTable(*(Column(name, no_wrap=name == "device") for name in columns), box=SIMPLE_HEAD)
    if wide:
        table.add_column("description")
    for device in fleet.values():
        alerts = opened.get(device.device_id, [])
        counts = log.counts_of(alerts)
        calibrating = counts["while_calibrating"]
        # A name that this command does not know may be another's detector: one device must not hide the fleet.
        names = detectors_of(device, detectors) if device.detectors is None else device.detectors
        budgets = {name: _false_alarms_per_week(policies, device, name) for name in names}
        if json:
            last_7_days = {**counts, "false_alarms_per_week": budgets}
            notices = [one.model_dump(mode="json") for one in health.get(device.device_id, {}).values()]
            print_json({**device.model_dump(mode="json"), "last_7_days": last_7_days, "health": notices})
            continue
        rate = "any rate" if device.sample_rate is None else f"{device.sample_rate} Hz"
        table.add_row(
            device.device_id,
            device.kind,
            rate if device.unit == _FULL_SCALE else f"{rate}, ±{device.full_scale:g} {device.unit}",
            f"{len(alerts)}, {calibrating} calibrating" if calibrating else str(len(alerts)),
            str(counts["judged_false"]),
            ", ".join(f"{name} {value:g}" for name, value in budgets.items()),
            *([device.description] if wide else []),
        )
    if not json:
        console.print(table)
        for notice in sorted((one for kinds in health.values() for one in kinds.values()), key=HealthNotice.time_ns):
            print_line(f"{utc_text(notice.at_ns)}Z  {notice.kind}  {notice.summary}")


async def _read(bootstrap: KafkaConnection) -> tuple[dict[str, Device], list[Policy], AlertLog]:
    return await read_fleet(bootstrap), await read_policies(bootstrap), await AlertLog.read(bootstrap)


def _false_alarms_per_week(policies: list[Policy], device: Device, detector: str) -> float:
    by_key = {policy.key(): policy for policy in policies}
    policy = applicable(by_key, device.device_id, device.kind, detector)
    return DEFAULT_FALSE_ALARMS_PER_WEEK if policy is None else policy.false_alarms_per_week
