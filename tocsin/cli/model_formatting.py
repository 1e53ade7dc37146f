"""How models, assignments and statuses are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelStatus
from schemas.manifest import Manifest
from tocsin.models.statuses import of_assignment

_DIGITS = 12


def as_json(**content: Any) -> str:
    """One line, ASCII alone: what a stranger wrote into a file does nothing to a terminal."""
    return json.dumps(content, default=_plain)


def safe(text: str) -> Text:
    """Text from a stranger's file: control characters are shown, not obeyed, and mark-up is none."""
    return Text("".join(char if char.isprintable() else ascii(char)[1:-1] for char in text))


def line_of(artefact: Artefact | None) -> str:
    """An artefact in a few words."""
    if artefact is None:
        return "none"
    signed = "" if artefact.signature is None else ", signed"
    return f"{artefact.model_id} {artefact.version} [{artefact.sha256[:_DIGITS]}{signed}]"


def lines_of(assignment: Assignment) -> list[str]:
    """An assignment, a line each of its parts."""
    return [
        f"{assignment.key()}, revision {assignment.revision}",
        f"  champion  {line_of(assignment.champion)}",
        f"  shadow    {line_of(assignment.shadow)}",
        f"  previous  {', '.join(map(line_of, assignment.previous)) or 'none'}",
    ]


def lines_of_statuses(statuses: Iterable[ModelStatus]) -> list[str]:
    """What workers said, a line each."""
    found = []
    for status in statuses:
        why = f": {status.error}: {safe(status.message)}" if status.error else ""
        found.append(f"  {status.worker}  {status.stage} {status.version} {status.state}{why}")
    return found


def print_assignments(assignments: Sequence[Assignment], statuses: Sequence[ModelStatus]) -> None:
    """A table, a row a model, and below it what workers refuse or wait for."""
    table = Table("detector", "scope", "stage", "model", "version", "sha256", "published", "workers")
    troubles: list[ModelStatus] = []
    for assignment in assignments:
        said = of_assignment(statuses, assignment)
        troubles += [status for status in said if status.state != "ready"]
        for stage, artefact in (("champion", assignment.champion), ("shadow", assignment.shadow)):
            if artefact is None:
                if stage == "champion":
                    table.add_row(assignment.detector, assignment.scope, stage, "none: the wider scope's")
                continue
            counts = [f"{n} {state}" for state in ("ready", "refused", "waiting") if (n := _count(said, stage, state))]
            published = datetime.fromtimestamp(artefact.published_ns / 1e9, UTC)
            table.add_row(
                assignment.detector,
                assignment.scope,
                stage,
                artefact.model_id,
                artefact.version,
                artefact.sha256[:_DIGITS],
                f"{published:%Y-%m-%d %H:%M}Z",
                ", ".join(counts) or "none has reported",
            )
    console = Console()
    console.print(table)
    for line in lines_of_statuses(troubles):
        console.print(line, markup=False, highlight=False)


def print_manifest(manifest: Manifest, sha256: str, size: int, signed: str) -> None:
    """A table of what a file says of itself."""
    features = manifest.features
    rows = {
        "model": f"{manifest.model_id} {manifest.version}",
        "detector": manifest.detector,
        "sha256": sha256,
        "size": f"{size:,} bytes",
        "signature": signed,
        "parameters": f"{manifest.parameters:,}",
        "features": (
            f"{features.transform}, {features.n_frames} x {features.width}, {features.window_seconds:.3g} s at"
            f" {features.sample_rate} Hz"
        ),
        "features hash": manifest.features_hash,
        "calibration": (
            f"{manifest.calibration.transfer}: threshold {manifest.calibration.threshold:.4g}, spread"
            f" {manifest.calibration.spread:.4g}, {manifest.calibration.n} windows"
        ),
        "trained on": manifest.trained_on,
        "training digest": manifest.training_digest,
        "code revision": manifest.code_revision,
        "seed": str(manifest.seed),
        "metrics": "\n".join(f"{name} {value:.4g}" for name, value in manifest.metrics.items()),
    }
    table = Table(Column("", style="bold"), Column("", overflow="fold"), show_header=False)
    for name, value in rows.items():
        table.add_row(name, Text("\n").join(map(safe, value.split("\n"))))
    Console().print(table)


def _count(statuses: Iterable[ModelStatus], stage: str, state: str) -> int:
    return sum(status.stage == stage and status.state == state for status in statuses)


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} is no JSON")
