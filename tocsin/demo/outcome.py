"""Comparison of the demo's alerts with the expected ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import OutputError
from synthesis.device import SyntheticDevice
from tocsin.console import DataTable, PlainConsole, styled
from tocsin.demo.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Deviations from the expected alerts.

    Attributes:
        missed: devices that should have raised an alert and did not.
        false: devices that raised an unexpected alert.
        unscored: devices without a scored window.
    """

    missed: tuple[str, ...]
    false: tuple[str, ...]
    unscored: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether exactly the expected devices raised alerts, and all were scored."""
        return not (self.missed or self.false or self.unscored)


def assess(factory: tuple[SyntheticDevice, ...], view: FleetView) -> DemoOutcome:
    """Compares the alerts with those the factory should cause."""
    rows = view.devices
    return DemoOutcome(
        missed=tuple(d.device_id for d in factory if d.expects_alert and not rows[d.device_id].alerts),
        false=tuple(d.device_id for d in factory if not d.expects_alert and rows[d.device_id].alerts),
        unscored=tuple(d.device_id for d in factory if not rows[d.device_id].windows),
    )


def print_outcome(
    console: PlainConsole, factory: tuple[SyntheticDevice, ...], view: FleetView, outcome: DemoOutcome
) -> None:
    """Prints one row per device, and the outcome in a sentence."""
    table = DataTable("device", "sound", "windows", "alerts", "as expected", title="Results")
    for device in factory:
        row = view.devices[device.device_id]
        correct = device.device_id not in (*outcome.missed, *outcome.false, *outcome.unscored)
        first = next((a for a in view.events if a.device_id == device.device_id and a.state == "opened"), None)
        alerts = "none" if first is None else f"{row.alerts}, first at {first.first_sample / first.sample_rate:.1f} s"
        mark = styled("yes", "green") if correct else styled("no", "bold red")
        table.add_row(device.device_id, device.description, str(row.windows), alerts, mark)
    console.print(table)
    for row in view.devices.values():
        if row.swapped_s is not None:
            console.print_text(
                f"{row.device_id} was scored by a model of its own, {row.model}, from {row.swapped_s:.1f} s on, trained"
                " on its own sound during the run."
            )
    expected = [d.device_id for d in factory if d.expects_alert]
    if outcome.as_expected:
        console.print_text(f"Exactly {' and '.join(expected)} raised alerts, as expected.", "green")
        return
    for names, what in ((outcome.missed, "raised no alert"), (outcome.false, "raised an unexpected alert")):
        if names:
            console.print_text(f"{', '.join(names)} {what}.", "bold red")
    if outcome.unscored:
        console.print_text(f"No window was scored of {', '.join(outcome.unscored)}: see the worker's log.", "bold red")


def write_alerts(folder: Path, view: FleetView) -> Path:
    """Writes every alert revision as a JSON line; returns the file.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / "alerts.jsonl"
    lines = [json.dumps(alert.model_dump(mode="json")) + "\n" for alert in view.events]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}: make room or name another folder with --out") from None
    return path
