"""`tocsin models list | show | verify`: assigned models, and the content of a model file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.check.artefact import ANNOUNCED, CHECKS, SIGNATURE, examine, read_manifest
from processors.adapters.models.signing import verify as verify_signature
from schemas.errors import ModelRefused
from schemas.score import Stage
from tocsin.addresses import kafka_connection
from tocsin.cli.commands.models.formatting import print_assignments, print_content, print_manifest
from tocsin.cli.options import Json, JsonLines, Kafka
from tocsin.models.assignments import read_assignments
from tocsin.models.keys import trusted_keys
from tocsin.models.lookup import ModelFile, downloaded, find_artefact, is_file
from tocsin.models.statuses import newest_statuses, statuses_of
from tocsin.settings import Settings, load_settings
from tocsin.terminal import print_line

StageOption = Annotated[Stage, typer.Option(help="Which model of the detector: champion or shadow.")]
Reference = Annotated[
    str, typer.Argument(metavar="MODEL", help="A file, the first digits of a digest, DETECTOR or DETECTOR/SCOPE.")
]


def list_models(json: JsonLines = False, kafka: Kafka = None) -> None:
    """List the assigned models and their status on the workers."""
    settings = load_settings()
    bootstrap = kafka_connection(settings, kafka)
    assignments = list(asyncio.run(read_assignments(bootstrap, trusted_keys(settings))).values())
    statuses = asyncio.run(newest_statuses(bootstrap))
    if json:
        for assignment in assignments:
            print_content(assignment=assignment, statuses=statuses_of(statuses, assignment))
    elif assignments:
        print_assignments(assignments, statuses)
    else:
        print_line("nothing is assigned: every detector runs the model that ships with the workers")


def show(reference: Reference, stage: StageOption = "champion", json: Json = False, kafka: Kafka = None) -> None:
    """Show a model's manifest without running the model. Safe for untrusted files."""
    settings = load_settings()
    with _model(reference, stage, settings, kafka) as model:
        manifest, sha256, size = read_manifest(model.path)
    signed = _signature(model, settings)
    if json:
        print_content(sha256=sha256, size=size, signature=signed, artefact=model.artefact, manifest=manifest)
    else:
        print_manifest(manifest, sha256, size, signed)


def verify(reference: Reference, stage: StageOption = "champion", json: Json = False, kafka: Kafka = None) -> None:
    """Check a model as a worker does, and print each check. Exit code 1 if it is refused."""
    settings = load_settings()
    passed: list[str] = []
    refused: ModelRefused | None = None
    trusted = trusted_keys(settings)
    with _model(reference, stage, settings, kafka) as model:
        # A local file has no announcement that could be signed.
        keys = () if model.artefact is None else trusted
        try:
            examine(model.path, model.artefact, None, keys, passed.append)
        except ModelRefused as error:
            refused = error
    reason = None if refused is None else {"error": type(refused).__name__, "message": str(refused)}
    skipped = {*(() if keys else (SIGNATURE,)), *(() if model.artefact else (ANNOUNCED,))}
    if json:
        print_content(passed=passed, refused=reason)
    else:
        for check in passed:
            print_line(f"ok       {check}{'' if check not in skipped else ' (nothing to compare with)'}")
        if refused is not None:
            print_line(f"REFUSED  {CHECKS[len(passed)]}: {type(refused).__name__}: {refused}")
    if refused is not None:
        raise typer.Exit(1)


@contextlib.contextmanager
def _model(reference: str, stage: Stage, settings: Settings, kafka: str | None) -> Iterator[ModelFile]:
    if is_file(reference):
        yield ModelFile(Path(reference), None)
        return
    # Also what no trusted key has signed: both commands say so.
    assignments = asyncio.run(read_assignments(kafka_connection(settings, kafka)))
    with downloaded(find_artefact(reference, stage, assignments), ArtefactStore(settings.store)) as model:
        yield model


def _signature(model: ModelFile, settings: Settings) -> str:
    if model.artefact is None:
        return "none: a file is signed when it is published"
    if model.artefact.signature is None:
        return "none"
    if settings.model_trusted is None:
        return "not verified: TOCSIN_MODEL_TRUSTED is not set"
    try:
        verify_signature(model.artefact, trusted_keys(settings))
    except ModelRefused as error:
        return f"{type(error).__name__}: {error}"
    return "by a trusted key"
