"""The transfer study on paper: means and intervals, one table, one plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy import stats

from trainers.experiments.transfer.experiment import PLANS, SCRATCH, Run

Float64 = npt.NDArray[np.float64]

_WORDS = {
    SCRATCH: "from scratch",
    "v1": "v1: one other type",
    "v2": "v2: same type, other machines",
    "v3": "v3: two other types",
    "v4": "v4: three other types",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A plan at a share.

    Attributes:
        plan, share: see :class:`trainers.experiments.transfer.experiment.Run`.
        auc: mean over targets, sources and seeds.
        half: half of its 95 % interval, over seeds; None where there was one.
        gain: what the mean lies above that from scratch on the same targets, 0 for scratch itself.
        gain_half: half of its 95 % interval, over pairs of target and seed; None likewise.
        runs: how many.
    """

    plan: str
    share: float
    auc: float
    half: float | None
    gain: float
    gain_half: float | None
    runs: int


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """A row for every plan and share there are runs of; intervals are Student's."""
    rows = []
    for share in sorted({run.share for run in runs}):
        scratch = _by_pair([run for run in runs if run.plan == SCRATCH and run.share == share])
        for plan in (SCRATCH, *PLANS):
            these = [run for run in runs if run.plan == plan and run.share == share]
            if not these:
                continue
            seeds = sorted({run.seed for run in these})
            by_seed = np.array([np.mean([run.auc for run in these if run.seed == seed]) for seed in seeds])
            pairs = _by_pair(these)
            gains = np.array([pairs[pair] - scratch[pair] for pair in sorted(pairs)])
            rows.append(
                Row(
                    plan=plan,
                    share=share,
                    auc=float(by_seed.mean()),
                    half=_half(by_seed),
                    gain=float(gains.mean()),
                    gain_half=0.0 if plan == SCRATCH else _half(gains),
                    runs=len(these),
                )
            )
    return rows


def table_of(rows: Sequence[Row], heading: str) -> str:
    """The rows as Markdown: a line a plan, a column a share."""
    shares = sorted({row.share for row in rows})
    lines = [
        heading,
        "",
        "| pretrained on | " + " | ".join(f"{share:g} %" for share in shares) + " |",
        "|---|" + "---|" * len(shares),
    ]
    for plan in (SCRATCH, *PLANS):
        cells = {row.share: row for row in rows if row.plan == plan}
        if cells:
            texts = [_cell(cells[share]) for share in shares]
            lines.append(f"| {_WORDS[plan]} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def plot_of(rows: Sequence[Row], title: str) -> bytes:
    """AUC over the share of the target's sound, a line a plan, intervals as bars; a PNG."""
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    plans = [plan for plan in (SCRATCH, *PLANS) if any(row.plan == plan for row in rows)]
    for place, plan in enumerate(plans):
        mine = [row for row in rows if row.plan == plan]
        # Side by side, so that bars do not hide each other.
        shares = [row.share * 1.06 ** (place - len(plans) / 2) for row in mine]
        style = "--" if plan == SCRATCH else "-"
        bars = [row.half or 0.0 for row in mine]
        axes.errorbar(shares, [row.auc for row in mine], yerr=bars, label=_WORDS[plan], linestyle=style, capsize=3)
    axes.set_xscale("log")
    axes.set_xticks(sorted({row.share for row in rows}), [f"{share:g}" for share in sorted({r.share for r in rows})])
    axes.set_xlabel("of the machine's own training sound, %")
    axes.set_ylabel("AUC of clips, mean and 95 % interval")
    axes.set_title(title)
    axes.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _cell(row: Row) -> str:
    text = f"{row.auc:.3f}{_interval(row.half)}"
    return text if row.plan == SCRATCH else f"{text} ({row.gain:+.3f}{_interval(row.gain_half)})"


def _interval(half: float | None) -> str:
    return "" if half is None else f" ± {half:.3f}"


def _by_pair(runs: Sequence[Run]) -> dict[tuple[str, int], float]:
    """Mean AUC of each target and seed, over sources."""
    pairs: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        pairs.setdefault((run.target, run.seed), []).append(run.auc)
    return {pair: float(np.mean(values)) for pair, values in pairs.items()}


def _half(values: Float64) -> float | None:
    """Half of the mean's 95 % interval by Student's t; a single value has none."""
    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
