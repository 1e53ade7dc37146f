"""`tocsin train`: recordings into a model."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from producers.sources.sensor import SensorOptions
from schemas.errors import SettingsError
from trainers.recipes.registry import RECIPES
from trainers.recipes.registry import recipe as recipe_of


def train(
    recipe: Annotated[str, typer.Argument(help=f"{', '.join(RECIPES)}.")],
    data: Annotated[Path | None, typer.Option(help="Folder of recordings; some recipes need none.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for model, figures and pictures.")] = Path("trained"),
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed gives the same model.")] = 7,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the recipe, such as preset=small; repeatable."),
    ] = None,
    version: Annotated[str, typer.Option(help="The model's version.")] = "0.1.0",
    install: Annotated[
        Path | None, typer.Option(help="Folder of models to copy the result into; its index.json is kept.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Sample rate in Hz, for sensor files (npz, CSV) that do not say it.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Which array or column of sensor files, by name or by number from 1.")
    ] = None,
    full_scale: Annotated[
        float | None, typer.Option(help="Value of the largest step of sensor files; the device's, where it has one.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the measured figures as JSON.")] = False,
) -> None:
    """Train a model, measure it, and write it as an ONNX file that says what it is.

    A folder may hold sound files, or else npz and CSV waveforms as `tocsin produce sensor` sends them.
    A run that was interrupted goes on where it was when the same command is given again.
    """
    # Training's libraries load in seconds; no other command should wait for them.
    from tocsin.sensor_folder import as_recordings
    from trainers.evaluation.metrics import below_normal
    from trainers.export.artefact import install as install_model
    from trainers.export.artefact import write
    from trainers.export.provenance import code_revision
    from trainers.training.checkpoint import resumable, resume_hint

    pairs = pairs_of(settings or [])
    sensor = SensorOptions(column=column, sample_rate=rate, full_scale=full_scale)
    what = {"recipe": recipe, "seed": seed, "settings": pairs, "code": code_revision(), "data": _listing(data)}
    what["sensor"] = asdict(sensor)
    kept = out
    try:
        with as_recordings(data, sensor) as folder, resumable(out, what) as kept:
            trained = recipe_of(recipe).train(folder, seed, pairs)
            model = write(trained, out, seed, version)
    except KeyboardInterrupt:
        print(f"tocsin: stopped{resume_hint(kept)}", file=sys.stderr)
        raise
    if install is not None:
        install_model(model, install)
    for name, value in below_normal(trained.scores).items():
        print(
            f"tocsin: {name!r} scores below normal sound (AUC {value:.3f}): this model would not alarm on it; give more"
            " normal sound, train for longer, or take other settings or another recipe",
            file=sys.stderr,
        )
    if json:
        print(json_format.dumps({"model": str(model), "metrics": trained.metrics}))
        return
    print(f"{model}: {model.stat().st_size / 1_000:.0f} kB, trained on {trained.trained_on}")
    if trained.direction is not None and trained.direction.kind == "two-sided":
        print("  the score fell with generated anomalies: it is now the distance from the usual score")
    for name, value in trained.metrics.items():
        print(f"  {name:32} {value:.3f}")


def pairs_of(settings: list[str]) -> dict[str, str]:
    """Settings by name.

    Raises:
        SettingsError: one is not KEY=VALUE.
    """
    pairs = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise SettingsError(f"--set {setting!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


def _listing(data: Path | None) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file: another set is another run."""
    if data is None:
        return []
    paths = sorted(data.rglob("*")) if data.is_dir() else [data]
    found = [(path.as_posix(), path.stat()) for path in paths if path.is_file()]
    return [(name, about.st_size, about.st_mtime_ns) for name, about in found]
