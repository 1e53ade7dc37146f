"""Models, assignments and statuses as text, tables and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Column
from rich.text import Text

from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelStatus
from schemas.manifest import Manifest
from schemas.time_text import utc_text
from tocsin.console import DataTable, styled, terminal
from tocsin.models.statuses import statuses_of
from tocsin.terminal import print_json, print_lines

_DIGITS = 12


def print_content(**content: Any) -> None:
    """Prints one JSON object."""
    print_json(content)


def artefact_line(artefact: Artefact | None) -> str:
    """An artefact in one line: model, version, digest."""
    if artefact is None:
        return "none"
    signed = "" if artefact.signature is None else ", signed"
    return f"{artefact.model_id} {artefact.version} [{artefact.sha256[:_DIGITS]}{signed}]"


def assignment_lines(assignment: Assignment) -> list[str]:
    """An assignment: one line for the champion, the shadow and the previous champions each."""
    return [
        f"{assignment.key()}, revision {assignment.revision}",
        f"  champion  {artefact_line(assignment.champion)}",
        f"  shadow    {artefact_line(assignment.shadow)}",
        f"  previous  {', '.join(map(artefact_line, assignment.previous)) or 'none'}",
    ]


def status_lines(statuses: Iterable[ModelStatus]) -> list[str]:
    """Workers' statuses, one line each."""
    lines = []
    for status in statuses:
        reason = f": {status.error}: {status.message}" if status.error else ""
        lines.append(f"  {status.worker}  {status.stage} {status.version} {status.state}{reason}")
    return lines


def print_assignments(assignments: Sequence[Assignment], statuses: Sequence[ModelStatus]) -> None:
    """Prints a table with one row per model, and below it the models that workers refuse or wait for."""
    table = DataTable("detector", "scope", "stage", "model", "version", "sha256", "published", "workers")
    not_ready: list[ModelStatus] = []
    for assignment in assignments:
        own = statuses_of(statuses, assignment)
        not_ready += [status for status in own if status.state != "ready"]
        for stage, artefact in (("champion", assignment.champion), ("shadow", assignment.shadow)):
            if artefact is None:
                if stage == "champion":
                    table.add_row(assignment.detector, assignment.scope, stage, "none: the wider scope's applies")
                continue
            counts = [f"{n} {state}" for state in ("ready", "refused", "waiting") if (n := _count(own, stage, state))]
            table.add_row(
                assignment.detector,
                assignment.scope,
                stage,
                artefact.model_id,
                artefact.version,
                artefact.sha256[:_DIGITS],
                f"{utc_text(artefact.published_ns, '%Y-%m-%d %H:%M')}Z",
                ", ".join(counts) or "no report yet",
            )
    terminal().print(table)
    print_lines(status_lines(not_ready))


def print_manifest(manifest: Manifest, sha256: str, size: int, signed: str) -> None:
    """Prints a table of a model file's manifest."""
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
    }
    metrics = [styled(f"{name} {value:.4g}") for name, value in manifest.metrics.items()]
    table = DataTable(Column("", style="bold"), Column("", overflow="fold"), show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row("metrics", Text("\n").join(metrics))
    terminal().print(table)


def _count(statuses: Iterable[ModelStatus], stage: str, state: str) -> int:
    return sum(status.stage == stage and status.state == state for status in statuses)
