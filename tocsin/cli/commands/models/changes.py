"""`tocsin models publish | promote | rollback | retire | keygen`: commands that change a fleet's models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from connections.kafka import KafkaConnection
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.signing import verify, write_keys
from schemas.assignment import Assignment
from schemas.errors import SettingsError
from schemas.scope import ALL
from schemas.scope import Scope as DeviceScope
from schemas.score import Stage
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.models.formatting import assignment_lines, print_content, status_lines
from tocsin.cli.options import Json, Kafka, Note
from tocsin.models.assignments import Announcement, announce, assignment_of, read_assignments
from tocsin.models.changes import promoted, retired, rolled_back
from tocsin.models.keys import signing_key, trusted_keys
from tocsin.models.manifests import worse_than_chance
from tocsin.models.publish import announce_artefact, store_model
from tocsin.models.statuses import count_workers, wait_for_statuses
from tocsin.settings import Settings, load_settings
from tocsin.terminal import print_error, print_line, print_lines

_NOTE_CHARS = 500

Scope = Annotated[str, typer.Option(help="Devices it applies to: all, kind:KIND or device:ID.")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Wait this many seconds for the workers' status.")]
Role = Annotated[str, typer.Argument(metavar="DETECTOR", help="Name of the detector, such as machine.")]


def publish(
    file: Annotated[Path, typer.Argument(help="The model: an ONNX file that a trainer wrote.")],
    detector: Annotated[
        str | None, typer.Option(help="Refuse the file unless it is for this detector. The file names its detector.")
    ] = None,
    scope: Scope = ALL,
    stage: Annotated[Stage, typer.Option(help="champion scores and alerts; shadow only scores.")] = "champion",
    note: Note = "",
    wait: Wait = 0.0,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Check, store, sign and announce a model. It and its announcement are signed if TOCSIN_MODEL_KEY is set."""
    settings = load_settings()
    devices = _checked(scope, note)
    key, trusted = signing_key(settings), trusted_keys(settings)
    bootstrap, store = kafka_connection(settings, kafka), ArtefactStore(settings.store)
    # Before the file is stored: an unavailable broker should leave nothing behind.
    asyncio.run(read_assignments(bootstrap, trusted))
    artefact, report = store_model(file, store, key, detector)
    verify(artefact, trusted)
    if not json:
        cost = f"{report.window_s * 1e3:.2g} ms a window, {report.resident_bytes / 2**20:.0f} MiB"
        print_line(f"checked: {report.nodes} nodes, golden scores within {report.golden_off:.1g}, {cost}")
        print_line(f"stored: {artefact.url}")
    for name, value in worse_than_chance(report.manifest.metrics).items():
        print_error(
            f"tocsin: the model's manifest states {name} {value:.3f}: it scores anomalies below normal sound;"
            " `tocsin models rollback` takes it back"
        )
    announcement = announce_artefact(artefact, bootstrap, devices, stage, note, key, trusted)
    _finish(asyncio.run(announcement), settings, bootstrap, wait, json=json)


def promote(
    detector: Role, scope: Scope = ALL, note: Note = "", wait: Wait = 0.0, json: Json = False, kafka: Kafka = None
) -> None:
    """Make the shadow the champion. `rollback` restores the old one."""
    _change(detector, scope, note, wait, kafka, promoted, json=json)


def rollback(
    detector: Role, scope: Scope = ALL, note: Note = "", wait: Wait = 0.0, json: Json = False, kafka: Kafka = None
) -> None:
    """Restore the previous champion."""
    _change(detector, scope, note, wait, kafka, rolled_back, json=json)


def retire(
    detector: Role,
    scope: Scope = ALL,
    stage: Annotated[
        Literal["both", "shadow"], typer.Option(help="shadow removes the shadow only; both removes the champion too.")
    ] = "both",
    note: Note = "",
    wait: Wait = 0.0,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Remove a scope's models. The wider scope's model applies again, or the shipped one."""
    only: Literal["shadow"] | None = "shadow" if stage == "shadow" else None
    _change(detector, scope, note, wait, kafka, lambda now, text, at: retired(now, only, text, at), json=json)


def keygen(
    out: Annotated[Path, typer.Option(help="Folder for the two keys; created if missing.")],
    json: Json = False,
) -> None:
    """Create a key pair to sign and verify models."""
    private, public = write_keys(out)
    if json:
        print_content(private=str(private), public=str(public))
        return
    print_line(f"{private}: private, readable by you alone; publishers set TOCSIN_MODEL_KEY to it")
    print_line(f"{public}: public; workers set TOCSIN_MODEL_TRUSTED to it, or to a folder of such files")


def _change(
    detector: str,
    scope: str,
    note: str,
    wait: float,
    kafka: str | None,
    change: Callable[[Assignment, str, int], Assignment],
    *,
    json: bool,
) -> None:
    settings = load_settings()
    bootstrap, key = kafka_connection(settings, kafka), f"{detector}/{_checked(scope, note)}"
    own, trusted = signing_key(settings), trusted_keys(settings)
    assignments = asyncio.run(read_assignments(bootstrap, trusted))
    assignment_of(assignments, key)

    def change_now(current: Assignment | None, now_ns: int) -> Assignment:
        return change(assignment_of({} if current is None else {key: current}, key), note, now_ns)

    _finish(asyncio.run(announce(bootstrap, key, change_now, own, trusted)), settings, bootstrap, wait, json=json)


def _checked(scope: str, note: str) -> DeviceScope:
    devices = DeviceScope.from_option(scope)
    if len(note) > _NOTE_CHARS:
        raise SettingsError(f"--note has {len(note)} characters; the maximum is {_NOTE_CHARS}")
    return devices


def _finish(
    announcement: Announcement, settings: Settings, bootstrap: KafkaConnection, wait: float, *, json: bool
) -> None:
    """Prints the new assignment and the workers' statuses; exit code 1 when a worker refuses, or none answers."""
    assignment = announcement.assignment
    statuses, workers = [], None
    if wait:
        workers = asyncio.run(count_workers(bootstrap, settings.group))
        statuses = asyncio.run(wait_for_statuses(bootstrap, assignment, wait, workers))
    other = announcement.concurrent
    if json:
        print_content(assignment=assignment, statuses=statuses, workers=workers, concurrent_change=other)
    else:
        print_lines(assignment_lines(assignment))
        if statuses:
            print_lines(status_lines(statuses))
    if other is not None:
        print_error(
            f"tocsin: another user changed {assignment.key()} at the same time (revision {other.revision},"
            f" {other.note!r}): check `tocsin models list` and repeat what is missing"
        )
    has_models = assignment.champion is not None or assignment.shadow is not None
    if wait and has_models and not any(status.state == "ready" for status in statuses):
        print_error(f"tocsin: no worker of group {settings.group!r} loaded it within {wait:g} s")
        raise typer.Exit(1)
    if any(status.state == "refused" for status in statuses):
        raise typer.Exit(1)
