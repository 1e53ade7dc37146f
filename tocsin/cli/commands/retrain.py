"""`tocsin retrain`: train on the fleet's own sound, and publish the model as a shadow unless it is worse."""

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

from processors.adapters.metrics.address import parse_address
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.server import serve_metrics
from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.onnx_model import OnnxModel
from schemas.errors import OutputError, SettingsError
from schemas.identity import is_name
from schemas.scope import Scope
from tocsin.addresses import kafka_connection
from tocsin.capture.capture import capture as run_capture
from tocsin.capture.capture import summary
from tocsin.cli.commands.dataset.capture import request_of
from tocsin.cli.options import Guard, Json, Kafka, KeyValues, MaxGb, MinutesPerDevice, key_values
from tocsin.client.devices import read_fleet
from tocsin.console import DataTable, terminal
from tocsin.diagnostics import log_line
from tocsin.models.assignments import read_assignments
from tocsin.models.keys import signing_key, trusted_keys
from tocsin.models.publish import publish
from tocsin.retraining.champions import champions_of
from tocsin.retraining.retrain import PLOT, RetrainOutcome, RetrainRequest
from tocsin.retraining.retrain import retrain as retrain_model
from tocsin.retraining.sound_set import read_sound_set
from tocsin.settings import load_settings
from tocsin.stack.locks import FolderLock
from tocsin.terminal import print_json, print_line
from trainers.evaluation.compare import Figures, Tolerance
from trainers.files import write_atomically
from trainers.recipes.registry import recipe as recipe_of

REPORT = "report.json"
WORSE = 3
"""Exit code when the model is worse than the champion."""

_WORKSPACE = ".retrain"
_MAX_NOTE = 500
_SNRS_DB = (-24.0, -18.0, -12.0, -6.0)


def retrain(
    recipe: Annotated[str, typer.Option(help="Training recipe, such as knn; `tocsin train --help` lists them.")],
    devices: Annotated[
        list[str] | None, typer.Option(help="Device ids or patterns to capture sound from; repeatable.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Use this capture, or folders normal/DEVICE, instead of capturing.")
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            help="Scope of the shadow: all, kind:KIND or device:ID. Default: the device, if there is only one."
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="Start of the capture: how long ago, such as 7d, or a time with its zone.")
    ] = "7d",
    settings: KeyValues = None,
    out: Annotated[Path, typer.Option(help="Folder for the model, the report and the plot.")] = Path("retrained"),
    minutes_per_device: MinutesPerDevice = 60.0,
    max_gb: MaxGb = 5.0,
    clip: Annotated[str, typer.Option(help="Length of a captured clip.")] = "60s",
    guard: Guard = "30s",
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Share of the sound to hold out for evaluation; the latest.")
    ] = 0.3,
    snr: Annotated[
        list[float] | None,
        typer.Option(help="SNR of generated anomalies, dB; repeatable. Default: -24, -18, -12 and -6."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=10.0, help="Maximum seconds of each device's sound to evaluate on.")
    ] = 600.0,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Drop of the mean AUC that is accepted as noise.")
    ] = 0.01,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Seed of the training and of the generated anomalies.")
    ] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything except publish.")] = False,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Train on the fleet's sound and publish the model as shadow.

    Captures sound, trains, and compares the model with the champion. The comparison uses held-out sound and generated
    anomalies. Exit code 0: not worse, and published unless --dry-run. 3: worse, nothing published; report.json gives
    the reasons. 2: a user error, or Kafka or the store does not answer. Needs no terminal; one run at a time per
    folder.
    """
    if (devices is None) == (data is None):
        raise SettingsError("give either --devices, to capture their sound, or --data, to use existing sound")
    asked = None if scope is None else Scope.from_option(scope)
    retraining = RetrainRequest(
        recipe=recipe,
        settings=key_values(settings),
        seed=seed,
        held_out=held_out,
        snrs_db=tuple(snr or _SNRS_DB),
        max_seconds=seconds,
        tolerance=Tolerance(auc=tolerance),
    )
    environment = load_settings()
    bootstrap = kafka_connection(environment, kafka)
    # An unusable option is refused before hours of training, not after.
    recipe_of(recipe)
    key, trusted = signing_key(environment), trusted_keys(environment)
    store = ArtefactStore(environment.store)
    fleet = asyncio.run(read_fleet(bootstrap))
    metrics = serve_metrics("retrain", parse_address(environment.metrics), Health())
    with _sigterm_unwinds(), _workspace(out) as workspace, metrics as endpoint:
        log_line(f"metrics: {endpoint.url or 'off'}")
        report: dict[str, Any] = {"recipe": recipe, "settings": dict(retraining.settings), "seed": seed}
        source = workspace / "data" if data is None else data
        if devices is not None:
            request, since_ms, until_ms = request_of(devices, since, None, clip, guard, minutes_per_device, max_gb)
            captured = asyncio.run(run_capture(bootstrap, request, since_ms, until_ms, source))
            result = summary(captured, source)
            log_line(f"captured {result['clips']} clips, {result['seconds']} s")
            report["captured"] = {name: value for name, value in result.items() if name not in ("out", "manifest")}
        files = read_sound_set(source)
        report["scope"] = _scope(asked, sorted({one.device for one in files}))

        def champions(names: Sequence[str], detector: str) -> Mapping[str, OnnxModel | None]:
            kinds = {name: fleet[name].kind if name in fleet else environment.default_kind for name in names}
            assigned = asyncio.run(read_assignments(bootstrap, trusted))
            return champions_of(kinds, detector, assigned, store, trusted, workspace / "models")

        outcome = retrain_model(retraining, files, out, workspace, champions)
        plot = None if outcome.candidate is None else str(out / PLOT)
        report |= {**outcome.as_json(), "report": str(out / REPORT), "picture": plot, "published": None}
        # Written before publishing: the figures are available even if that fails.
        _write_report(out, report)
        if outcome.model is not None and not outcome.worse and not dry_run:
            note = f"retrained on {', '.join(outcome.devices)}"[:_MAX_NOTE]
            assignment = publish(
                outcome.model,
                store=store,
                kafka=bootstrap,
                scope=report["scope"],
                stage="shadow",
                key=key,
                note=note,
                trusted=trusted,
            )
            report["published"] = {"key": assignment.key(), "revision": assignment.revision, "stage": "shadow"}
            _write_report(out, report)
    if json:
        print_json(report)
    else:
        _print(outcome, report, dry_run=dry_run)
    if outcome.worse:
        raise typer.Exit(WORSE)


@contextmanager
def _sigterm_unwinds() -> Iterator[None]:
    """Makes SIGTERM unwind the stack as Ctrl-C does, so that locks, folders and child processes are released."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _workspace(out: Path) -> Iterator[Path]:
    """A temporary folder, locked by this run and removed afterwards.

    Raises:
        OutputError: it cannot be created.
        StackBusy: another run holds the lock.
    """
    folder = out / _WORKSPACE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}: name another folder with --out") from None
    with FolderLock(out / ".lock", f"the folder {out}"):
        # Removes what a killed run left.
        _empty(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _scope(given: Scope | None, devices: Sequence[str]) -> Scope:
    """The scope given, or the only device's; SettingsError if none is given and there are several devices."""
    if given is not None:
        return given
    if len(devices) == 1 and is_name(devices[0]):
        return Scope.of_device(devices[0])
    shown = ", ".join(devices[:5]) + (f" and {len(devices) - 5} more" if len(devices) > 5 else "")
    raise SettingsError(f"--scope is required, because the sound is of {shown}: give kind:KIND, device:ID or all")


def _write_report(out: Path, report: Mapping[str, Any]) -> None:
    write_atomically(out / REPORT, (jsonlib.dumps(report, indent=2) + "\n").encode())


def _print(outcome: RetrainOutcome, report: Mapping[str, Any], *, dry_run: bool) -> None:
    table = DataTable("", "candidate", "champion")
    for name, value in _rows(outcome.candidate, outcome.champion):
        table.add_row(name, *value)
    if outcome.candidate is not None:
        terminal().print(table)
        print_line(
            f"champion: {', '.join(outcome.champions) or 'none'}; figures in {report['report']}, {report['picture']}"
        )
    for reason in outcome.worse:
        print_line(f"worse: {reason}")
    published = report["published"]
    if published is not None:
        print_line(f"published {outcome.model} as shadow of {published['key']}, revision {published['revision']}")
    elif outcome.worse:
        print_line("nothing was published")
    elif dry_run:
        print_line(f"not worse; a dry run publishes nothing: {outcome.model}")


def _rows(candidate: Figures | None, champion: Figures | None) -> Iterator[tuple[str, tuple[str, str]]]:
    if candidate is None:
        return

    def both(candidates: float | None, champions: float | None, form: str) -> tuple[str, str]:
        shown = ["" if value is None else format(value, form) for value in (candidates, champions)]
        return shown[0], shown[1]

    for kind, value in candidate.auc.items():
        yield f"AUC, {kind}", both(value, None if champion is None else champion.auc[kind], ".3f")
    yield "mean AUC", both(candidate.mean_auc, None if champion is None else champion.mean_auc, ".3f")
    if candidate.real_auc is not None:
        yield "AUC, confirmed alerts", both(candidate.real_auc, None if champion is None else champion.real_auc, ".3f")
    yield "false windows", both(candidate.false_share, None if champion is None else champion.false_share, ".3%")
