"""The live view as a rich renderable, and as plain lines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from schemas.alert import Alert
from schemas.score_text import score_text
from tocsin.console import DataTable, styled
from tocsin.demo.fleet_view import DeviceView, FleetView

_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLES = {"waiting": "dim", "warm-up": "cyan", "normal": "green", "above": "yellow", "ALERT": "bold white on red"}
_LEVEL_WIDTH = 10
_MIN_DBFS = -80.0
_MAX_ALERTS = 6


def draw(view: FleetView, title: str, subtitle: str) -> RenderableType:
    """The whole view: one row per device, alerts below."""
    table = DataTable(expand=True, box=None, header_style="bold", pad_edge=False)
    for column, options in (
        ("device", {"no_wrap": True}),
        ("model", {"no_wrap": True}),
        ("level", {"no_wrap": True}),
        ("score", {"justify": "right"}),
        ("threshold", {"justify": "right"}),
        ("last scores", {"no_wrap": True, "ratio": 1}),
        ("state", {"no_wrap": True}),
    ):
        table.add_column(column, **options)
    for row in view.devices.values():
        table.add_row(*_cells(row))
    alerts = [_alert_line(alert) for alert in view.events[-_MAX_ALERTS:]]
    below = Text("\n").join(alerts) if alerts else Text("none", style="dim")
    return Group(
        Panel(table, title=styled(title, "bold"), subtitle=styled(subtitle), border_style="blue"),
        Panel(
            below, title=styled("alerts", "bold"), border_style="red" if _any_open(view) else "blue", title_align="left"
        ),
    )


def plain_line(alert: Alert) -> str:
    """One alert revision in one line."""
    return f"{alert.state.upper():7} {alert.severity:8} {alert.summary}"


def plain_status(view: FleetView) -> str:
    """The states of all devices in one line."""
    return "  ".join(f"{row.device_id}={row.state}" for row in view.devices.values())


def _cells(row: DeviceView) -> Iterable[RenderableType]:
    score = row.latest
    model = styled(row.model, "bold cyan" if row.swapped_s is not None else "dim")
    state = Text(f" {row.state} ", style=_STYLES[row.state])
    if score is None:
        return (styled(row.device_id), model, "", "", "", "", state)
    threshold = "" if score.threshold is None else score_text(score.threshold)
    return (
        styled(row.device_id, "bold" if row.alert else ""),
        model,
        _level(score.level_dbfs),
        score_text(score.score),
        threshold,
        _sparkline(row),
        state,
    )


def _level(dbfs: float) -> Text:
    share = min(max(1.0 - dbfs / _MIN_DBFS, 0.0), 1.0)
    filled = round(share * _LEVEL_WIDTH)
    return Text("█" * filled, style="green") + Text("░" * (_LEVEL_WIDTH - filled), style="dim") + f" {dbfs:4.0f} dB"


def _sparkline(row: DeviceView) -> Text:
    """Scores as blocks, red above the threshold; full height is the threshold, or the highest score if above it."""
    values = [score.score for score in row.sparkline]
    limits = [score.threshold for score in row.sparkline if score.threshold is not None]
    low, high = min(values), max(values + limits[-1:])
    span = high - low or 1.0
    text = Text()
    for score in row.sparkline:
        block = _BLOCKS[int((score.score - low) / span * (len(_BLOCKS) - 1))]
        text.append(block, style="red" if score.exceeds else "blue")
    return text


def _alert_line(alert: Alert) -> Text:
    style = {"opened": "bold red", "updated": "yellow", "closed": "green"}[alert.state]
    return Text(f"{alert.state:8}", style=style) + Text(f"{alert.severity:9}") + styled(alert.summary)


def _any_open(view: FleetView) -> bool:
    return any(row.alert is not None for row in view.devices.values())
