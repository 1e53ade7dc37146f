"""`tocsin devices sensitivity`: how many false alarms are allowed."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from processors.core.alerting.detectors import DETECTORS
from processors.core.threshold.budget import budget_plan, explain_budget
from schemas.device import DEVICE_KINDS
from schemas.errors import SettingsError
from schemas.policy import ANY, DEFAULT_FALSE_ALARMS_PER_WEEK, Policy
from schemas.record import Record
from schemas.scope import ALL, Scope
from schemas.topics import POLICIES
from tocsin.addresses import kafka_address
from tocsin.client.devices import near, read_fleet
from tocsin.client.topic_reader import read_newest
from tocsin.client.topic_writer import write_records
from tocsin.settings import load_settings


def sensitivity(
    per_week: Annotated[
        float | None, typer.Argument(help="At most so many false alarms per device per week; none lists what holds.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="For one device only.")] = None,
    kind: Annotated[str | None, typer.Option(help="For the devices of a kind only: machine or room.")] = None,
    detector: Annotated[str | None, typer.Option(help="For one detector only; all of them unless given.")] = None,
    hours: Annotated[
        str | None,
        typer.Option(
            help="Hours (UTC) at which another way of working begins, such as 6,14,22; each learns for itself."
        ),
    ] = None,
    tags: Annotated[
        bool,
        typer.Option("--tags", help="Each way of working that the producer sends (--regime) learns for itself."),
    ] = False,
    unset: Annotated[bool, typer.Option("--unset", help="Take back what was set for this scope.")] = False,
    note: Annotated[str, typer.Option(help="Why, for people.")] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Show or set how many false alarms a device may raise in a week: the narrowest setting holds."""
    bootstrap = kafka_address(load_settings(), kafka)
    if per_week is None and not unset:
        if device is not None or kind is not None or detector is not None:
            raise SettingsError("--device, --kind and --detector want a number, or --unset")
        _show(asyncio.run(read_policies(bootstrap)), json=json)
        return
    if per_week is not None and unset:
        raise SettingsError(f"{per_week:g} and --unset exclude each other: give one of them")
    if tags and hours is not None:
        raise SettingsError(f"--tags and --hours {hours} exclude each other: give one of them")
    scope, role = _scope(device, kind), _detector(detector)
    if device is not None:
        fleet = asyncio.run(read_fleet(bootstrap))
        if device not in fleet:
            raise SettingsError(f"no device {device!r}; {near(fleet, [device])}")
    if per_week is None:
        record = Record(f"{role}/{scope}".encode(), None, ())
    else:
        reasons = explain_budget(budget_plan(per_week))
        policy = Policy(
            detector=role,
            scope=scope,
            false_alarms_per_week=per_week,
            regime_hours=_hours(hours),
            use_reported_regime=tags,
            note=note,
            set_ns=time.time_ns(),
        )
        record = policy.to_record()
    asyncio.run(write_records(bootstrap, [(POLICIES, record)]))
    if per_week is None:
        print(f"{role} on {scope}: nothing set any more; the wider setting holds")
    elif json:
        print(policy.model_dump_json())
    else:
        print(f"{role} on {scope}: at most {per_week:g} false alarms a week on each device; workers follow at once")
        for line in reasons:
            print(f"  {line}")


def _scope(device: str | None, kind: str | None) -> Scope:
    if device is not None and kind is not None:
        raise SettingsError(f"--device {device} and --kind {kind} exclude each other: give one of them")
    if kind is not None and kind not in DEVICE_KINDS:
        raise SettingsError(f"no kind {kind!r}; there are {', '.join(DEVICE_KINDS)}")
    if device is not None:
        return Scope.of_device(device)
    return ALL if kind is None else Scope.of_kind(kind)


def _hours(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not 2 <= len(found) <= 3 or list(found) != sorted(set(found)) or not all(0 <= hour < 24 for hour in found):
        raise SettingsError(f"--hours {text!r}: give two or three hours of the day in ascending order, such as 6,14,22")
    return found


def _detector(name: str | None) -> str:
    if name is not None and name not in DETECTORS:
        raise SettingsError(f"no detector {name!r}; there are {', '.join(DETECTORS)}")
    return name or ANY


def _show(policies: list[Policy], *, json: bool) -> None:
    if json:
        for policy in policies:
            print(policy.model_dump_json())
        return
    table = Table("detector", "on", "at most, a week", "note")
    for policy in policies:
        table.add_row(policy.detector, policy.scope, f"{policy.false_alarms_per_week:g}", policy.note)
    if f"{ANY}/{ALL}" not in {policy.key() for policy in policies}:
        table.add_row(ANY, ALL, f"{DEFAULT_FALSE_ALARMS_PER_WEEK:g}", "the fleet's default")
    Console().print(table)


async def read_policies(bootstrap: str) -> list[Policy]:
    """The policies that hold, by their keys.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return list((await read_newest(bootstrap, POLICIES, Policy, "policy")).values())
