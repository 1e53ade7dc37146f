"""`tocsin devices policy`: how many false alarms a device may raise in a week."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from connections.kafka import KafkaConnection
from processors.adapters.models.detectors import load_detectors
from processors.core.alerting.detectors import detector_named
from processors.core.threshold.budget import budget_plan, explain_budget
from schemas.device import DeviceKind
from schemas.errors import SettingsError
from schemas.policy import ANY, DEFAULT_FALSE_ALARMS_PER_WEEK, Policy
from schemas.record import Record
from schemas.scope import ALL, Scope
from schemas.topics import POLICIES
from tocsin.addresses import kafka_connection
from tocsin.cli.options import JsonLines, Kafka, Note
from tocsin.client.devices import near, read_fleet
from tocsin.client.topic_reader import read_newest
from tocsin.client.topic_writer import write_records
from tocsin.console import DataTable, terminal
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_line

Device = Annotated[str | None, typer.Option(help="Set it for this device only.")]
KindOnly = Annotated[DeviceKind | None, typer.Option(help="Set it for the devices of this kind only.")]
Detector = Annotated[str | None, typer.Option(help="Set it for this detector only. Default: all detectors.")]
Hours = Annotated[
    str | None,
    typer.Option(
        help="Hours of the day (UTC) at which another operating regime begins, such as 6,14,22. Each regime gets a"
        " threshold of its own."
    ),
]
ReportedRegime = Annotated[
    bool,
    typer.Option(
        "--reported-regime",
        help="Keep a threshold for each operating regime that the producer reports (`tocsin produce --regime`).",
    ),
]
OldReportedRegime = Annotated[bool, typer.Option("--tags", hidden=True)]
Unset = Annotated[bool, typer.Option("--unset", help="Remove the policy of this scope; the wider one applies again.")]


def policy(
    false_alarms_per_week: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Maximum false alarms per device and week. Without it, the policies are listed."
        ),
    ] = None,
    device: Device = None,
    kind: KindOnly = None,
    detector: Detector = None,
    hours: Hours = None,
    reported_regime: ReportedRegime = False,
    tags: OldReportedRegime = False,
    unset: Unset = False,
    note: Note = "",
    json: JsonLines = False,
    kafka: Kafka = None,
) -> None:
    """Show or set the false-alarm budget.

    A policy applies to the fleet, a kind or a device; the narrowest one counts. Setting one prints the budget
    arithmetic: how often a minute of sound may exceed its threshold.
    """
    bootstrap = kafka_connection(load_settings(), kafka)
    if false_alarms_per_week is None and not unset:
        if device is not None or kind is not None or detector is not None:
            raise SettingsError("--device, --kind and --detector need --false-alarms-per-week N, or --unset")
        _show(asyncio.run(read_policies(bootstrap)), json=json)
        return
    if false_alarms_per_week is not None and unset:
        raise SettingsError(
            f"--false-alarms-per-week {false_alarms_per_week:g} and --unset exclude each other: give one of them"
        )
    reported_regime = reported_regime or tags
    if reported_regime and hours is not None:
        raise SettingsError(f"--reported-regime and --hours {hours} exclude each other: give one of them")
    scope, role = _scope(device, kind), _detector(detector)
    if device is not None:
        fleet = asyncio.run(read_fleet(bootstrap))
        if device not in fleet:
            raise SettingsError(f"no device {device!r}; {near(fleet, [device])}")
    if false_alarms_per_week is None:
        record = Record(f"{role}/{scope}".encode(), None, ())
    else:
        arithmetic = explain_budget(budget_plan(false_alarms_per_week))
        new = Policy(
            detector=role,
            scope=scope,
            false_alarms_per_week=false_alarms_per_week,
            regime_hours=_hours(hours),
            use_reported_regime=reported_regime,
            note=note,
            set_ns=time.time_ns(),
        )
        record = new.to_record()
    asyncio.run(write_records(bootstrap, [(POLICIES, record)]))
    if false_alarms_per_week is None:
        print_line(f"{role} on {scope}: policy removed; the wider one applies")
    elif json:
        print_json(new)
    else:
        print_line(
            f"{role} on {scope}: at most {false_alarms_per_week:g} false alarms per device and week; workers apply it"
            " at once"
        )
        for line in arithmetic:
            print_line(f"  {line}")


def sensitivity(
    false_alarms_per_week: Annotated[float | None, typer.Argument()] = None,
    device: Device = None,
    kind: KindOnly = None,
    detector: Detector = None,
    hours: Hours = None,
    reported_regime: ReportedRegime = False,
    tags: OldReportedRegime = False,
    unset: Unset = False,
    note: Note = "",
    json: JsonLines = False,
    kafka: Kafka = None,
) -> None:
    """The former name of `tocsin devices policy`: `sensitivity N` is `policy --false-alarms-per-week N`."""
    policy(
        false_alarms_per_week, device, kind, detector, hours, reported_regime, tags, unset, note, json, kafka
    )  # fmt: skip


def _scope(device: str | None, kind: DeviceKind | None) -> Scope:
    if device is not None and kind is not None:
        raise SettingsError(f"--device {device} and --kind {kind} exclude each other: give one of them")
    if device is not None:
        return Scope.of_device(device)
    return ALL if kind is None else Scope.of_kind(kind)


def _hours(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        hours = tuple(int(part) for part in text.split(","))
    except ValueError:
        hours = ()
    if not 2 <= len(hours) <= 3 or list(hours) != sorted(set(hours)) or not all(0 <= hour < 24 for hour in hours):
        raise SettingsError(f"--hours {text!r}: give two or three hours of the day in ascending order, such as 6,14,22")
    return hours


def _detector(name: str | None) -> str:
    return ANY if name is None else detector_named(name, load_detectors(load_settings().detectors)).name


def _show(policies: list[Policy], *, json: bool) -> None:
    if json:
        for one in policies:
            print_json(one)
        return
    table = DataTable("detector", "scope", "false alarms per week", "note")
    for one in policies:
        table.add_row(one.detector, str(one.scope), f"{one.false_alarms_per_week:g}", one.note)
    if f"{ANY}/{ALL}" not in {one.key() for one in policies}:
        table.add_row(ANY, str(ALL), f"{DEFAULT_FALSE_ALARMS_PER_WEEK:g}", "the fleet's default")
    terminal().print(table)


async def read_policies(bootstrap: KafkaConnection) -> list[Policy]:
    """The policies in force, in the order of their keys.

    Raises:
        BrokerUnavailable, SettingsError: as in :func:`tocsin.client.topic_reader.consumer_of`.
    """
    return list((await read_newest(bootstrap, POLICIES, Policy, "policy")).values())
