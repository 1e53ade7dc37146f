"""`tocsin models publish | promote | rollback | retire | keygen`: what changes a fleet's models."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.signing import load_private_key, load_trusted_keys, verify, write_keys
from schemas.assignment import Assignment
from schemas.errors import SettingsError
from schemas.scope import ALL
from schemas.scope import Scope as DeviceScope
from schemas.score import Stage
from tocsin.addresses import kafka_address
from tocsin.cli.model_formatting import as_json, lines_of, lines_of_statuses, safe
from tocsin.models.assignments import Announced, announce, named, read_assignments
from tocsin.models.changes import promoted, retired, rolled_back
from tocsin.models.manifests import worse_than_chance
from tocsin.models.publish import announce_artefact, keep
from tocsin.models.statuses import count_workers, wait_for_statuses
from tocsin.settings import Settings, load_settings

_NOTE_CHARS = 500

Kafka = Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")]
Scope = Annotated[str, typer.Option(help="all, kind:KIND or device:ID.")]
Note = Annotated[str, typer.Option(help="Why, for people.")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Wait so many seconds for what workers say of it.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Role = Annotated[str, typer.Argument(help="Name of the detector, such as machine.")]


def publish(
    file: Annotated[Path, typer.Argument(help="The model, an ONNX file that a trainer wrote.")],
    detector: Annotated[
        str | None, typer.Option(help="Refuse the file unless it is for this detector; the file says it.")
    ] = None,
    scope: Scope = ALL,
    stage: Annotated[str, typer.Option(help="champion scores and alerts, shadow only scores.")] = "champion",
    note: Note = "",
    wait: Wait = 0.0,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Check a model, keep it in the store, sign it if there is a key, and announce it to running workers."""
    settings = load_settings()
    devices = _checked(scope, note)
    if stage not in ("champion", "shadow"):
        raise SettingsError(f"--stage {stage!r}: there are champion and shadow")
    key = None if settings.model_key is None else load_private_key(settings.model_key)
    bootstrap, store = kafka_address(settings, kafka), ArtefactStore(settings.store)
    # Before the file is kept: a broker that is away should cost nothing.
    asyncio.run(read_assignments(bootstrap))
    artefact, report = keep(file, store, key, detector)
    if settings.model_trusted is not None:
        verify(artefact, load_trusted_keys(settings.model_trusted))
    if not json:
        took = f"{report.window_s * 1e3:.2g} ms a window, {report.resident_bytes / 2**20:.0f} MiB"
        print(f"checked: {report.nodes} nodes, golden scores within {report.golden_off:.1g}, {took}")
        print(f"kept: {artefact.url}")
    for name, value in worse_than_chance(report.manifest.metrics).items():
        print(
            f"tocsin: the model says {name} {value:.3f} of itself: it scores what it should find below what is normal;"
            " `tocsin models rollback` takes it back",
            file=sys.stderr,
        )
    change = announce_artefact(artefact, bootstrap, devices, cast(Stage, stage), note)
    _finish(asyncio.run(change), settings, bootstrap, wait, json=json)


def promote(
    detector: Role, scope: Scope = ALL, note: Note = "", wait: Wait = 0.0, json: Json = False, kafka: Kafka = None
) -> None:
    """Make the shadow the champion; the old champion is kept for `rollback`."""
    _change(detector, scope, note, wait, kafka, promoted, json=json)


def rollback(
    detector: Role, scope: Scope = ALL, note: Note = "", wait: Wait = 0.0, json: Json = False, kafka: Kafka = None
) -> None:
    """Make the champion before the present one the champion again."""
    _change(detector, scope, note, wait, kafka, rolled_back, json=json)


def retire(
    detector: Role,
    scope: Scope = ALL,
    stage: Annotated[str, typer.Option(help="shadow takes back the shadow alone; both, the champion too.")] = "both",
    note: Note = "",
    wait: Wait = 0.0,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Take the scope's models back: the wider scope's holds again, or the shipped one."""
    if stage not in ("both", "shadow"):
        raise SettingsError(f"--stage {stage!r}: there are both and shadow")
    only: Literal["shadow"] | None = "shadow" if stage == "shadow" else None
    _change(detector, scope, note, wait, kafka, lambda now, text, at: retired(now, only, text, at), json=json)


def keygen(
    out: Annotated[Path, typer.Option(help="Folder for the two keys; made if need be.")],
    json: Json = False,
) -> None:
    """Make a pair of keys: the private one signs what is published, the public one goes to the workers."""
    private, public = write_keys(out)
    if json:
        print(as_json(private=str(private), public=str(public)))
        return
    print(f"{private}: private, readable by you alone; whoever publishes sets TOCSIN_MODEL_KEY to it")
    print(f"{public}: public; workers set TOCSIN_MODEL_TRUSTED to it, or to a folder of such files")


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
    bootstrap, key = kafka_address(settings, kafka), f"{detector}/{_checked(scope, note)}"
    assignments = asyncio.run(read_assignments(bootstrap))
    named(assignments, key)

    def change_now(current: Assignment | None, now_ns: int) -> Assignment:
        return change(named({} if current is None else {key: current}, key), note, now_ns)

    _finish(asyncio.run(announce(bootstrap, key, change_now)), settings, bootstrap, wait, json=json)


def _checked(scope: str, note: str) -> DeviceScope:
    devices = DeviceScope.from_option(scope)
    if len(note) > _NOTE_CHARS:
        raise SettingsError(f"--note has {len(note)} characters; at most {_NOTE_CHARS} are kept")
    return devices


def _finish(announced: Announced, settings: Settings, bootstrap: str, wait: float, *, json: bool) -> None:
    """Says what holds now, and what workers make of it; exit code 1 when one refuses, or none answers."""
    assignment = announced.assignment
    statuses, workers = [], None
    if wait:
        workers = asyncio.run(count_workers(bootstrap, settings.group))
        statuses = asyncio.run(wait_for_statuses(bootstrap, assignment, wait, workers))
    if json:
        print(as_json(assignment=assignment, statuses=statuses, workers=workers, meanwhile=announced.meanwhile))
    else:
        print("\n".join(lines_of(assignment)))
        if statuses:
            print("\n".join(lines_of_statuses(statuses)))
    other = announced.meanwhile
    if other is not None:
        print(
            f"tocsin: somebody else changed {assignment.key()} at the same time (revision {other.revision},"
            f" {str(safe(other.note))!r}): see `tocsin models list` and repeat what is missing",
            file=sys.stderr,
        )
    has_models = assignment.champion is not None or assignment.shadow is not None
    if wait and has_models and not any(status.state == "ready" for status in statuses):
        print(f"tocsin: no worker of group {settings.group!r} took it within {wait:g} s", file=sys.stderr)
        raise typer.Exit(1)
    if any(status.state == "refused" for status in statuses):
        raise typer.Exit(1)
