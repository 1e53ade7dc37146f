"""What the demo heard, against what its factory made sound."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from schemas.errors import OutputError
from synthesis.device import SyntheticDevice
from tocsin.demo.fleet_view import FleetView


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict.

    Attributes:
        missed: devices that should have alerted and did not.
        false: devices that alerted and should not have.
        unheard: devices of which no window was scored.
    """

    missed: tuple[str, ...]
    false: tuple[str, ...]
    unheard: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether exactly the right devices alerted."""
        return not (self.missed or self.false or self.unheard)


def judge(factory: tuple[SyntheticDevice, ...], view: FleetView) -> Outcome:
    """Compares alerts with the truth."""
    rows = view.devices
    return Outcome(
        missed=tuple(d.device_id for d in factory if d.expects_alert and not rows[d.device_id].alerts),
        false=tuple(d.device_id for d in factory if not d.expects_alert and rows[d.device_id].alerts),
        unheard=tuple(d.device_id for d in factory if not rows[d.device_id].windows),
    )


def print_outcome(console: Console, factory: tuple[SyntheticDevice, ...], view: FleetView, outcome: Outcome) -> None:
    """What it heard, one row a device, and the verdict in a sentence."""
    table = Table("device", "what sounds there", "windows", "alerts", "as it should be", title="What was heard")
    for device in factory:
        row = view.devices[device.device_id]
        right = device.device_id not in (*outcome.missed, *outcome.false, *outcome.unheard)
        first = next((a for a in view.events if a.device_id == device.device_id and a.state == "opened"), None)
        heard = "none" if first is None else f"{row.alerts}, first at {first.first_sample / first.sample_rate:.1f} s"
        verdict = "[green]yes[/]" if right else "[bold red]no[/]"
        table.add_row(device.device_id, device.description, str(row.windows), heard, verdict)
    console.print(table)
    for row in view.devices.values():
        if row.swapped_s is not None:
            console.print(
                f"{row.device_id} was scored by a model of its own, {row.model}, from {row.swapped_s:.1f} s on: learned"
                " from its own sound while it ran.",
                highlight=False,
            )
    expected = [d.device_id for d in factory if d.expects_alert]
    if outcome.held:
        console.print(f"[green]Exactly {' and '.join(expected)} raised alerts, as it should be.[/]")
        return
    for names, what in ((outcome.missed, "raised no alert"), (outcome.false, "raised an alert without a reason")):
        if names:
            console.print(f"[bold red]{', '.join(names)} {what}.[/]")
    if outcome.unheard:
        console.print(f"[bold red]Nothing was scored of {', '.join(outcome.unheard)}: see the worker's log.[/]")


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
