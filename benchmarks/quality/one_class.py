"""Rows of recipes that learn from normal clips: trained with a few seeds on one set, as ``tocsin train`` would."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from benchmarks.quality.row import Row, cost_of, figure_of
from schemas.errors import ScoreInverted
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.recipe import Recipe

SEEDS = (1, 2, 3)

_SET = SetOptions(
    types=("fan", "pump", "slider", "valve"),
    ids=1,
    snr_db=(-6.0,),
    clips=20,
    anomalies=10,
    severity_db=-9.0,
    channels=1,
)


@lru_cache(maxsize=1)
def synthetic_set() -> Path:
    """One machine of each of MIMII's types at -6 dB, with faults 9 dB below it, written once a run."""
    # Kept until the program ends: later rows use the same set.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-quality-")) / "set"
    write_set("mimii", folder, _SET)
    return folder


def motor_set(data: Path | None) -> Path | None:
    """The motor's first state as normal, the others as abnormal, as links; None where there is none."""
    if data is None or not (data / "motor").is_dir():
        return None
    folder = Path(tempfile.mkdtemp(prefix="tocsin-quality-"))
    for path in sorted((data / "motor").iterdir()):
        label = "normal" if path.stem.startswith("state0_") else "abnormal"
        (folder / label).mkdir(exist_ok=True)
        (folder / label / path.name).symlink_to(path.resolve())
    return folder


def measured(
    recipe: Recipe,
    data: Path,
    settings: Mapping[str, str],
    *,
    variant: str,
    on: str,
    synthetic: bool,
    known: str = "",
    note: str = "",
    order: int = 0,
    seeds: Sequence[int] = SEEDS,
) -> Row:
    """A row from one training a seed; the seed also deals the parts.

    Raises:
        ScoreInverted: every seed's model scores the wrong way round.
    """
    figures: dict[str, list[float]] = {}
    refused, two_sided = 0, 0
    path = parameters = None
    with tempfile.TemporaryDirectory() as out:
        for seed in seeds:
            try:
                trained = recipe.train(data, seed, settings)
            except ScoreInverted:
                refused += 1
                continue
            path = write(trained, Path(out), seed, "0.1.0")
            parameters = 0 if trained.model is None else trained.model.parameters
            two_sided += trained.direction is not None and trained.direction.kind == "two-sided"
            for name in ("clip_auc", "window_auc", "level_auc"):
                figures.setdefault(name.replace("_", " "), []).append(trained.metrics[name])
            # Machines have different normal scores, and a worker gives each its own threshold.
            machines = trained.report["machines"].values()
            for name in ("clip_auc", "level_auc") if len(machines) > 1 else ():
                within = statistics.fmean(one[name] for one in machines)
                figures.setdefault(f"{name.replace('_', ' ')} within a machine", []).append(within)
        if path is None or parameters is None:
            raise ScoreInverted(f"{recipe.name} {settings}: refused with each of {len(seeds)} seeds")
        file_kb, window_ms = cost_of(path)
    notes = [note] if note else []
    if two_sided:
        notes.append(f"the score ran the wrong way with {two_sided} of {len(seeds)} seeds and was made two-sided")
    if refused:
        notes.append(f"{refused} of {len(seeds)} seeds gave a model that was refused for its score's direction")
    return Row(
        recipe=recipe.name,
        variant=variant,
        on=on,
        synthetic=synthetic,
        parameters=parameters,
        file_kb=file_kb,
        window_ms=window_ms,
        figures={name: figure_of(values) for name, values in figures.items()},
        known=known,
        note="; ".join(notes),
        order=order,
    )
