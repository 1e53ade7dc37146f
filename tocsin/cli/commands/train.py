"""`tocsin train`: train a model from recordings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from processors.adapters.metrics.address import parse_address
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.server import serve_metrics
from producers.sources.sensor import SensorOptions
from tocsin.cli.options import KeyValues, key_values
from tocsin.settings import load_settings
from tocsin.terminal import print_error, print_json, print_line
from trainers.recipes.registry import RECIPES
from trainers.recipes.registry import recipe as recipe_of


def train(
    recipe: Annotated[str, typer.Argument(help=f"Training recipe: {', '.join(RECIPES)}.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of recordings; recipes that synthesise their data need none.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the model, its metrics and plots.")] = Path("trained"),
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed gives the same model.")] = 7,
    settings: KeyValues = None,
    version: Annotated[str, typer.Option(help="Version to give the model.")] = "0.1.0",
    install: Annotated[
        Path | None, typer.Option(help="Also copy the model into this folder of models and update its index.json.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Sample rate in Hz, if sensor files (npz, CSV) do not contain it.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Array or column of sensor files, by name or by number from 1.")
    ] = None,
    full_scale: Annotated[
        float | None, typer.Option(help="Value that full-scale PCM in sensor files stands for, as in the manifest.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the measured metrics as one JSON object.")] = False,
) -> None:
    """Train a model on recordings and write it as ONNX.

    The folder may hold audio files, or npz and CSV waveforms as `tocsin produce sensor` sends them. The model is
    evaluated, and its file contains its manifest. The same command resumes an interrupted run.
    """
    # Imported late: the training libraries take seconds to load.
    from tocsin.sensor_folder import as_recordings
    from trainers.evaluation.metrics import below_normal
    from trainers.export.artefact import install as install_model
    from trainers.export.artefact import write
    from trainers.export.provenance import code_revision
    from trainers.training.checkpoint import resumable, resume_hint

    values = key_values(settings)
    sensor = SensorOptions(column=column, sample_rate=rate, full_scale=full_scale)
    run_key = {"recipe": recipe, "seed": seed, "settings": values, "code": code_revision(), "data": _listing(data)}
    run_key["sensor"] = asdict(sensor)
    checkpoint = out
    try:
        metrics = serve_metrics("train", parse_address(load_settings().metrics), Health())
        with metrics, as_recordings(data, sensor) as folder, resumable(out, run_key) as checkpoint:
            trained = recipe_of(recipe).train(folder, seed, values)
            model = write(trained, out, seed, version)
    except KeyboardInterrupt:
        print_error(f"tocsin: stopped{resume_hint(checkpoint)}")
        raise
    if install is not None:
        install_model(model, install)
    for name, value in below_normal(trained.scores).items():
        print_error(
            f"tocsin: {name!r} scores below normal sound (AUC {value:.3f}): this model would not alarm on it; use more"
            " normal sound, a longer training, other settings or another recipe"
        )
    if json:
        print_json({"model": str(model), "metrics": trained.metrics})
        return
    print_line(f"{model}: {model.stat().st_size / 1_000:.0f} kB, trained on {trained.trained_on}")
    if trained.direction is not None and trained.direction.kind == "two-sided":
        print_line("  generated anomalies lowered the score: it is now the distance from the usual score")
    for name, value in trained.metrics.items():
        print_line(f"  {name:32} {value:.3f}")


def _listing(data: Path | None) -> list[tuple[str, int, int]]:
    """Name, size and modification time of every file: a changed set starts a new run."""
    if data is None:
        return []
    paths = sorted(data.rglob("*")) if data.is_dir() else [data]
    found = [(path.as_posix(), path.stat()) for path in paths if path.is_file()]
    return [(name, about.st_size, about.st_mtime_ns) for name, about in found]
