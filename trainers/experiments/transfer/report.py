"""The report of the transfer experiment: means and confidence intervals, a table and a plot."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy import stats

from schemas.printable import plot_text
from trainers.experiments.transfer.experiment import PLANS, SCRATCH, TransferRun

Float64 = npt.NDArray[np.float64]

_PLAN_LABELS = {
    SCRATCH: "from scratch",
    "v1": "v1: one other type",
    "v2": "v2: same type, other machines",
    "v3": "v3: two other types",
    "v4": "v4: three other types",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of a plan at a share.

    Attributes:
        plan, share: see :class:`trainers.experiments.transfer.experiment.TransferRun`.
        auc: mean over targets, sources and seeds.
        half: half width of its 95 % interval over seeds; None with one seed.
        gain: difference of the mean to that from scratch on the same targets; 0 for scratch itself.
        gain_half: half width of its 95 % interval over pairs of target and seed; None with one pair.
        runs: number of runs.
    """

    plan: str
    share: float
    auc: float
    half: float | None
    gain: float
    gain_half: float | None
    runs: int


def rows_of(runs: Sequence[TransferRun]) -> list[Row]:
    """A row for every plan and share in the runs, with Student's t intervals."""
    rows = []
    for share in sorted({run.share for run in runs}):
        scratch = _by_pair([run for run in runs if run.plan == SCRATCH and run.share == share])
        for plan in (SCRATCH, *PLANS):
            plan_runs = [run for run in runs if run.plan == plan and run.share == share]
            if not plan_runs:
                continue
            seeds = sorted({run.seed for run in plan_runs})
            by_seed = np.array([np.mean([run.auc for run in plan_runs if run.seed == seed]) for seed in seeds])
            pairs = _by_pair(plan_runs)
            gains = np.array([pairs[pair] - scratch[pair] for pair in sorted(pairs)])
            rows.append(
                Row(
                    plan=plan,
                    share=share,
                    auc=float(by_seed.mean()),
                    half=_half_width(by_seed),
                    gain=float(gains.mean()),
                    gain_half=0.0 if plan == SCRATCH else _half_width(gains),
                    runs=len(plan_runs),
                )
            )
    return rows


def table_of(rows: Sequence[Row], heading: str) -> str:
    """The rows as Markdown: one line per plan, one column per share."""
    shares = sorted({row.share for row in rows})
    lines = [
        heading,
        "",
        "| pretraining | " + " | ".join(f"{share:g} %" for share in shares) + " |",
        "|---|" + "---|" * len(shares),
    ]
    for plan in (SCRATCH, *PLANS):
        cells = {row.share: row for row in rows if row.plan == plan}
        if cells:
            texts = [_cell(cells[share]) for share in shares]
            lines.append(f"| {_PLAN_LABELS[plan]} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def plot_of(rows: Sequence[Row], title: str) -> bytes:
    """A PNG of AUC over the share of the target's audio: one line per plan, intervals as error bars."""
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    plans = [plan for plan in (SCRATCH, *PLANS) if any(row.plan == plan for row in rows)]
    for index, plan in enumerate(plans):
        plan_rows = [row for row in rows if row.plan == plan]
        # Offset, so that error bars do not overlap.
        shares = [row.share * 1.06 ** (index - len(plans) / 2) for row in plan_rows]
        style = "--" if plan == SCRATCH else "-"
        bars = [row.half or 0.0 for row in plan_rows]
        axes.errorbar(
            shares, [row.auc for row in plan_rows], yerr=bars, label=_PLAN_LABELS[plan], linestyle=style, capsize=3
        )
    axes.set_xscale("log")
    axes.set_xticks(sorted({row.share for row in rows}), [f"{share:g}" for share in sorted({r.share for r in rows})])
    axes.set_xlabel("share of the machine's own training audio, %")
    axes.set_ylabel("AUC of clips, mean and 95 % interval")
    axes.set_title(plot_text(title))
    axes.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _cell(row: Row) -> str:
    text = f"{row.auc:.3f}{_interval(row.half)}"
    return text if row.plan == SCRATCH else f"{text} ({row.gain:+.3f}{_interval(row.gain_half)})"


def _interval(half: float | None) -> str:
    return "" if half is None else f" ± {half:.3f}"


def _by_pair(runs: Sequence[TransferRun]) -> dict[tuple[str, int], float]:
    """Mean AUC of each target and seed, over sources."""
    pairs: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        pairs.setdefault((run.target, run.seed), []).append(run.auc)
    return {pair: float(np.mean(values)) for pair, values in pairs.items()}


def _half_width(values: Float64) -> float | None:
    """Half width of the mean's 95 % interval by Student's t; None for a single value."""
    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
