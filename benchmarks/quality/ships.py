"""What ships, and why: quality and cost side by side."""

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
    """Attributes:
    name: of the model, for people.
    rows: whose figures are its quality, the first for its cost.
    spec: says how often it scores.
    needs: before it can hear a device.
    figures: those to show of its rows; all, if none are named.
    """

    name: str
    rows: tuple[str, ...]
    spec: FeatureSpec
    needs: str
    figures: tuple[str, ...] = ()


MACHINES = (
    Candidate("**machine**, shipped", ("machine-motor", "machine-bearing"), MACHINE, "nothing"),
    Candidate(
        "**knn**, made by `tocsin learn`",
        ("knn-motor", "knn-motor-blocks", "knn-bearing"),
        knn_spec(KnnOptions(window=3)),
        "37 s of the device (121 s for windows of 10 s), seconds of a core",
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
        "recordings of many devices, minutes of a core, torch",
    ),
    Candidate("mimii-ae", ("mimii-ae-motor",), MIMII_AE, "recordings of the device, minutes of a core, torch"),
    Candidate(
        "conv-ae",
        ("conv-ae-motor",),
        conv_ae_spec("log-mel", "correct", 1),
        "recordings of the device, minutes of a core, torch",
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
    Candidate("compact, as short as the others", ("scream-compact-short",), SCREAM, "", _SHOWN),
    *(
        Candidate(
            f"Eye-SCREAM's {name}", (f"scream-{name.lower()}",), scream_spec(ScreamOptions(hop=4_096)), "", _SHOWN
        )
        for name in ("A", "B", "C", "C-RNN", "A-depthwise", "A-deep")
    ),
)

_HEAD = f"""
## What ships, and why

Quality beside cost. "of a core" is one core's share for {DEVICES:,} devices: milliseconds a window, scored alone, times
windows a second, times {DEVICES:,}; a worker scores windows in batches, which costs less, and makes the features
besides. [Core figures](../benchmarks/results/core.json).

### Machines

"""

_MACHINES = """
- A device that was never heard has the shipped `machine` model from its first second. It hears faults, which it has
  learned from synthetic machines, not changes, and is the only one of these that needs nothing of the device.
- A device that was heard for a minute or two can have `knn`, in seconds and without torch: as good a mean over pairs
  of states of the motor as any here, every fault of the bearing, and 7 to 23 points more than MIMII's own autoencoder
  on the real MIMII features. That is why `tocsin learn` makes it, and why it goes before the shipped model on its
  device.
- embedding's phases come to the same mean and a better worst pair, and to .78 against .71 where the motor is tested on
  another time than was learned. They ask for windows of six seconds, recordings in files and the extra `train`, and are
  there for who has those; `knn` needs none of them.
- The autoencoders of the source systems were measured with the motor's first state as normal and all others as faults,
  not pair by pair: .69 and .62, less than loudness alone reaches there, at as much cost and more.
"""

_SCREAMS = """
### Screams

Measured on the same folds; Eye-SCREAM's networks with its hop of 4,096 samples and with far fewer steps, as their rows
say, so that beside them "compact, as short as the others" counts. The compact network ships: a thousand rooms are half
a core of it.

"""


def section(rows: Mapping[str, Row]) -> str:
    """The part of the page, from what was measured."""
    return "".join([_HEAD, _table(rows, MACHINES, needs=True), _MACHINES, _SCREAMS, _table(rows, SCREAMS, needs=False)])


def windows_a_second(spec: FeatureSpec) -> float:
    """How often a model scores."""
    return spec.sample_rate / (spec.window_hop * spec.pool * spec.hop)


def share_of_a_core(row: Row, spec: FeatureSpec) -> float | None:
    """Of one core, for a thousand devices; None where the row has no cost."""
    return None if row.window_ms is None else row.window_ms / 1e3 * windows_a_second(spec) * DEVICES


def _table(rows: Mapping[str, Row], candidates: tuple[Candidate, ...], *, needs: bool) -> str:
    lines = [
        "| model | quality | a window | windows a second | of a core |" + (" needs |" if needs else ""),
        "|---|---|---|---|---|" + ("---|" if needs else ""),
    ]
    for one in candidates:
        found = [(name, rows[name]) for name in one.rows if name in rows]
        if not found or found[0][0] != one.rows[0]:
            continue
        first = found[0][1]
        quality = "<br>".join(
            f"{what} {figure.mean:.3f} (`{name}`)"
            for name, row in found
            for what, figure in row.figures.items()
            if not one.figures or what in one.figures
        )
        share = share_of_a_core(first, one.spec)
        cost = "-" if share is None else f"{100.0 * share:.0f} %"
        window = "-" if first.window_ms is None else f"{first.window_ms:.2f} ms"
        cells = [one.name, quality, window, f"{windows_a_second(one.spec):.2f}", cost, *([one.needs] if needs else [])]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
