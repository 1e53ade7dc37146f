"""`tocsin retrain`: the fleet's own sound into a shadow of its champion, if that is not worse."""

from __future__ import annotations

import asyncio
import json as jsonlib
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.onnx_model import OnnxModel
from processors.adapters.models.signing import load_private_key, load_trusted_keys
from schemas.errors import OutputError, SettingsError
from schemas.identity import is_name
from schemas.scope import Scope
from tocsin.addresses import kafka_address
from tocsin.capture.capture import capture as capture_sound
from tocsin.capture.capture import summary
from tocsin.cli.commands.capture import request_of
from tocsin.cli.key_values import key_values
from tocsin.client.devices import read_fleet
from tocsin.diagnostics import say
from tocsin.models.assignments import read_assignments
from tocsin.models.publish import publish
from tocsin.retraining.champions import champions_of
from tocsin.retraining.retrain import PICTURE, Outcome, RetrainRequest
from tocsin.retraining.retrain import retrain as retrain_model
from tocsin.retraining.sound_set import read_set
from tocsin.settings import load_settings
from tocsin.stack.locks import FolderLock
from trainers.evaluation.compare import Figures, Tolerance
from trainers.files import write_atomically
from trainers.recipes.registry import recipe as recipe_of

REPORT = "report.json"
WORSE = 3
"""Exit code of a model that is worse than the champion."""

_WORKSPACE = ".retrain"
_MAX_NOTE = 500
_SNRS_DB = (-24.0, -18.0, -12.0, -6.0)


def retrain(
    recipe: Annotated[str, typer.Option(help="Recipe, such as knn; `tocsin train --help` names them.")],
    devices: Annotated[
        list[str] | None, typer.Option(help="Names or patterns of devices to capture from; repeatable.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A capture, or folders normal/<device>, in place of capturing.")
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="all, kind:KIND or device:ID; a single device's own unless given.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back to capture.")] = "7d",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the recipe; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for model, report and picture.")] = Path("retrained"),
    minutes_per_device: Annotated[float, typer.Option(min=0.01, help="Captured of each device at most.")] = 60.0,
    max_gb: Annotated[float, typer.Option(min=0.001, help="Captured at most; 10^9 bytes each.")] = 5.0,
    clip: Annotated[str, typer.Option(help="Length of a captured clip.")] = "60s",
    guard: Annotated[str, typer.Option(help="Left out before and after an alert.")] = "30s",
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Share of the sound, the latest, to measure on.")
    ] = 0.3,
    snr: Annotated[
        list[float] | None,
        typer.Option(help="Level of generated anomalies, dB; repeatable; -24, -18, -12 and -6 unless given."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=10.0, help="Of each device, to measure on at most.")] = 600.0,
    tolerance: Annotated[float, typer.Option(min=0.0, max=0.5, help="Drop of a mean AUC that counts as noise.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of training and anomalies.")] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all but publish.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what came of it as one JSON object.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Capture, train, compare with the champion on held-out sound and generated anomalies, publish as shadow.

    Exit code 0: not worse, and published unless --dry-run. 3: worse, nothing published; report.json says why. 2: a
    mistake, or Kafka or the store does not answer. Needs no terminal; one run at a time in a folder.
    """
    if (devices is None) == (data is None):
        raise SettingsError("give either --devices, to capture their sound, or --data, for sound that is there")
    asked = None if scope is None else Scope.from_option(scope)
    order = RetrainRequest(
        recipe=recipe,
        settings=key_values(settings or [], "--set"),
        seed=seed,
        held_out=held_out,
        snrs_db=tuple(snr or _SNRS_DB),
        most_seconds=seconds,
        tolerance=Tolerance(auc=tolerance),
    )
    environment = load_settings()
    bootstrap = kafka_address(environment, kafka)
    # What cannot be used is said before hours of training, not after.
    recipe_of(recipe)
    key = load_private_key(environment.model_key) if environment.model_key else None
    trusted = load_trusted_keys(environment.model_trusted) if environment.model_trusted else ()
    store = ArtefactStore(environment.store)
    fleet = asyncio.run(read_fleet(bootstrap))
    with _ends_in_order(), _workspace(out) as workspace:
        told: dict[str, Any] = {"recipe": recipe, "settings": dict(order.settings), "seed": seed}
        source = workspace / "data" if data is None else data
        if devices is not None:
            request, since_ms, until_ms = request_of(devices, since, None, clip, guard, minutes_per_device, max_gb)
            captured = asyncio.run(capture_sound(bootstrap, request, since_ms, until_ms, source))
            came = summary(captured, source)
            say(f"captured {came['clips']} clips, {came['seconds']} s")
            told["captured"] = {name: value for name, value in came.items() if name not in ("out", "manifest")}
        files = read_set(source)
        told["scope"] = _scope(asked, sorted({one.device for one in files}))

        def champions(names: Sequence[str], detector: str) -> Mapping[str, OnnxModel | None]:
            kinds = {name: fleet[name].kind if name in fleet else environment.default_kind for name in names}
            assigned = asyncio.run(read_assignments(bootstrap))
            return champions_of(kinds, detector, assigned, store, trusted, workspace / "models")

        outcome = retrain_model(order, files, out, workspace, champions)
        picture = None if outcome.candidate is None else str(out / PICTURE)
        told |= {**outcome.told(), "report": str(out / REPORT), "picture": picture, "published": None}
        # Whatever becomes of the publication, the figures are there.
        _write_report(out, told)
        if outcome.model is not None and not outcome.worse and not dry_run:
            note = f"retrained on {', '.join(outcome.devices)}"[:_MAX_NOTE]
            announced = publish(
                outcome.model, store=store, kafka=bootstrap, scope=told["scope"], stage="shadow", key=key, note=note
            )
            told["published"] = {"key": announced.key(), "revision": announced.revision, "stage": "shadow"}
            _write_report(out, told)
    if json:
        print(jsonlib.dumps(told))
    else:
        _print(outcome, told, dry_run=dry_run)
    if outcome.worse:
        raise typer.Exit(WORSE)


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, so that locks, folders and child processes are put away."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _workspace(out: Path) -> Iterator[Path]:
    """A folder for what is needed meanwhile, held by this run alone and gone afterwards.

    Raises:
        OutputError: it cannot be made.
        StackBusy: another run holds it.
    """
    folder = out / _WORKSPACE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}: name another folder with --out") from None
    with FolderLock(out / ".lock", f"the folder {out}"):
        # What a run left that was killed.
        _empty(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _scope(asked: Scope | None, devices: Sequence[str]) -> Scope:
    """Raises SettingsError where none was asked for and there are several devices."""
    if asked is not None:
        return asked
    if len(devices) == 1 and is_name(devices[0]):
        return Scope.of_device(devices[0])
    shown = ", ".join(devices[:5]) + (f" and {len(devices) - 5} more" if len(devices) > 5 else "")
    raise SettingsError(f"--scope is needed, since the sound is of {shown}: give kind:KIND, device:ID or all")


def _write_report(out: Path, told: Mapping[str, Any]) -> None:
    write_atomically(out / REPORT, (jsonlib.dumps(told, indent=2) + "\n").encode())


def _print(outcome: Outcome, told: Mapping[str, Any], *, dry_run: bool) -> None:
    table = Table("", "candidate", "champion")
    for name, value in _rows(outcome.candidate, outcome.champion):
        table.add_row(name, *value)
    if outcome.candidate is not None:
        Console().print(table)
        print(f"champion: {', '.join(outcome.champions) or 'none'}; figures in {told['report']}, {told['picture']}")
    for reason in outcome.worse:
        print(f"worse: {reason}")
    published = told["published"]
    if published is not None:
        print(f"published {outcome.model} as shadow of {published['key']}, revision {published['revision']}")
    elif outcome.worse:
        print("nothing was published")
    elif dry_run:
        print(f"not worse; a dry run publishes nothing: {outcome.model}")


def _rows(candidate: Figures | None, champion: Figures | None) -> Iterator[tuple[str, tuple[str, str]]]:
    if candidate is None:
        return

    def both(ours: float | None, theirs: float | None, form: str) -> tuple[str, str]:
        shown = ["" if value is None else format(value, form) for value in (ours, theirs)]
        return shown[0], shown[1]

    for kind, value in candidate.auc.items():
        yield f"AUC, {kind}", both(value, None if champion is None else champion.auc[kind], ".3f")
    yield "mean AUC", both(candidate.mean_auc, None if champion is None else champion.mean_auc, ".3f")
    if candidate.real_auc is not None:
        yield "AUC, judged real", both(candidate.real_auc, None if champion is None else champion.real_auc, ".3f")
    yield "false windows", both(candidate.false_share, None if champion is None else champion.false_share, ".3%")
