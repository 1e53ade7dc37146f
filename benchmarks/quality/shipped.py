"""Quality and cost of the shipped models and their alternatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.quality.row import Row
from schemas.features import FeatureSpec
from trainers.recipes.conv_ae.features import spec_of as conv_ae_spec
from trainers.recipes.embedding.options import EmbeddingOptions
from trainers.recipes.embedding.recipe import spec_of as embedding_spec
from trainers.recipes.knn.options import KnnOptions
from trainers.recipes.knn.options import spec_of as knn_spec
from trainers.recipes.machine.recipe import SPEC as MACHINE
from trainers.recipes.mimii_ae.features import SPEC as MIMII_AE
from trainers.recipes.scream.options import SPEC as SCREAM
from trainers.recipes.scream.options import ScreamOptions
from trainers.recipes.scream.options import spec_of as scream_spec

DEVICES = 1_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that could ship.

    Attributes:
        name: of the model, for people.
        rows: rows with its quality; the first also has its cost.
        spec: its features; decides how often it scores.
        needs: what it needs before it can score a device, for people.
        figures: figures of its rows to show; all if empty.
    """

    name: str
    rows: tuple[str, ...]
    spec: FeatureSpec
    needs: str
    figures: tuple[str, ...] = ()


MACHINES = (
    Candidate("**machine**, shipped", ("machine-motor", "machine-bearing"), MACHINE, "nothing"),
    Candidate(
        "**knn**, trained by `tocsin learn`",
        ("knn-motor", "knn-motor-blocks", "knn-bearing"),
        knn_spec(KnnOptions(window=3)),
        "37 s of the device's audio (121 s for windows of 10 s), seconds of CPU",
    ),
    Candidate(
        "embedding, phases alone",
        ("embedding-phases", "embedding-phases-blocks"),
        embedding_spec(EmbeddingOptions().seconds),
        "recordings of the device",
    ),
    Candidate(
        "embedding, trained",
        ("embedding-trained",),
        embedding_spec(EmbeddingOptions().seconds),
        "recordings of many devices, minutes of CPU, torch",
    ),
    Candidate("mimii-ae", ("mimii-ae-motor",), MIMII_AE, "recordings of the device, minutes of CPU, torch"),
    Candidate(
        "conv-ae",
        ("conv-ae-motor",),
        conv_ae_spec("log-mel", "correct", 1),
        "recordings of the device, minutes of CPU, torch",
    ),
)

_SHOWN = (
    "clip recall",
    "false clips",
    "clip F1, scream set",
    "frame F1, scream set",
    "clip recall before a room, 0 dB",
)

SCREAMS = (
    Candidate("**compact**, shipped", ("scream-compact",), SCREAM, "", _SHOWN),
    Candidate("compact, trained as briefly as the others", ("scream-compact-short",), SCREAM, "", _SHOWN),
    *(
        Candidate(
            f"Eye-SCREAM's {name}", (f"scream-{name.lower()}",), scream_spec(ScreamOptions(hop=4_096)), "", _SHOWN
        )
        for name in ("A", "B", "C", "C-RNN", "A-depthwise", "A-deep")
    ),
)

_HEAD = f"""In the tables, "of a core" is one core's share for {DEVICES:,} devices: milliseconds per single window,
times windows a second, times {DEVICES:,}; a worker scores windows in batches, which costs less, and also computes the
features. `benchmarks/results/core.json` has the figures of the core.

## Machines

"""

_MACHINES = """
- A new device is scored by the shipped `machine` model from its first second. That model was trained on faults of
  synthetic machines, so it detects faults, not changes, and it is the only one that needs no audio of the device.
- After a minute or two of audio a device can have a `knn` model, in seconds and without torch: its mean over pairs of
  the motor's states is as good as any here, it finds every fault of the bearing, and it is 7 to 23 points better than
  MIMII's own autoencoder on the real MIMII features. So `tocsin learn` trains it, and it takes precedence over the
  shipped model on its device.
- The embedding recipe's phases reach the same mean and a better worst pair, and .78 against .71 if the motor is tested
  on another time than it was trained on. They need windows of six seconds, recordings in files and the extra `train`;
  `knn` needs none of these.
- The autoencoders of the source systems were measured with the motor's first state as normal and all others as faults,
  not pair by pair: .69 and .62, less than loudness alone reaches there, at the same or a higher cost.
"""

_SCREAMS = """
## Screams

Measured on the same folds; Eye-SCREAM's networks with its hop of 4,096 samples and far fewer training steps, as their
rows say, so compare them with "compact, trained as briefly as the others". The compact network ships: a thousand rooms
take half a core.

"""


def section(rows: Mapping[str, Row]) -> str:
    """This section of the page, from the measured rows."""
    return "".join([_HEAD, _table(rows, MACHINES, needs=True), _MACHINES, _SCREAMS, _table(rows, SCREAMS, needs=False)])


def windows_a_second(spec: FeatureSpec) -> float:
    """Windows a model scores each second."""
    return spec.sample_rate / (spec.window_hop * spec.pool * spec.hop)


def share_of_a_core(row: Row, spec: FeatureSpec) -> float | None:
    """Share of one core for a thousand devices; None if the row has no cost."""
    return None if row.window_ms is None else row.window_ms / 1e3 * windows_a_second(spec) * DEVICES


def _table(rows: Mapping[str, Row], candidates: tuple[Candidate, ...], *, needs: bool) -> str:
    lines = [
        "| model | quality | per window | windows a second | of a core |" + (" needs |" if needs else ""),
        "|---|---|---|---|---|" + ("---|" if needs else ""),
    ]
    for one in candidates:
        found = [(name, rows[name]) for name in one.rows if name in rows]
        if not found or found[0][0] != one.rows[0]:
            continue
        first = found[0][1]
        quality = "<br>".join(
            f"{label} {figure.mean:.3f} (`{name}`)"
            for name, row in found
            for label, figure in row.figures.items()
            if not one.figures or label in one.figures
        )
        share = share_of_a_core(first, one.spec)
        cost = "-" if share is None else f"{100.0 * share:.0f} %"
        window = "-" if first.window_ms is None else f"{first.window_ms:.2f} ms"
        cells = [one.name, quality, window, f"{windows_a_second(one.spec):.2f}", cost, *([one.needs] if needs else [])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
