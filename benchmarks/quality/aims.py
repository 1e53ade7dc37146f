"""What was to be reached, beside what was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.quality.row import Row


@dataclass(frozen=True, slots=True)
class Check:
    """One figure of a row and what it is held against; one of the three is given.

    Attributes:
        figure: its name in the row.
        least, most: it must not lie below, above.
        near: it must lie within .01.
    """

    figure: str
    least: float | None = None
    most: float | None = None
    near: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value, rounded as the page prints it, does."""
        value = round(value, 3)
        if self.near is not None:
            return abs(value - self.near) <= 0.01 + 1e-9
        return not ((self.least is not None and value < self.least) or (self.most is not None and value > self.most))


@dataclass(frozen=True, slots=True)
class Aim:
    """Attributes:
    on: what is measured.
    must: what must be reached, for people.
    known: what was known before.
    row: whose figures count.
    checks: of its figures.
    why: what stands in the way where it is missed.
    """

    on: str
    must: str
    known: str
    row: str
    checks: tuple[Check, ...]
    why: str = ""


def _mimii(figures: str, values: tuple[float, float, float], *, near: bool = False) -> tuple[Check, ...]:
    names = (f"{figures} {level} dB" for level in ("6", "0", "-6"))
    return tuple(
        Check(name, near=value) if near else Check(name, least=value) for name, value in zip(names, values, strict=True)
    )


_SCREAM_WHY = (
    "58 screams of a few dozen people are all there is to learn from, and two of the clips hold little scream; low"
    " screams, crowds and baby cries lie closest; what was tried stands in docs/models.md"
)

AIMS = (
    Aim(
        on="real MIMII features, fan, `iaia protocol=source`",
        must="its own AUC (LOF) within .01 at 6, 0, -6 dB",
        known=".994 .972 .877",
        row="iaia-fan-source",
        checks=_mimii("LOF AUC", (0.994, 0.972, 0.877), near=True),
    ),
    Aim(
        on="the same, pump",
        must="within .01",
        known=".979 .935 .890",
        row="iaia-pump-source",
        checks=_mimii("LOF AUC", (0.979, 0.935, 0.890), near=True),
        why="the known figures are of one run, and with seed 0 ours are the same three; what a seed decides (the"
        " denoiser's start, noise and batches) moves them by more than .01, and the mean of five is .011 below at 6 dB",
    ),
    Aim(
        on="the same, MIMII's protocol, all four ids, one fixed rule, fan",
        must=">= .992 .951 .865",
        known="those; MIMII's own AE .920 .805 .681",
        row="knn-mimii-fan",
        checks=_mimii("AUC", (0.992, 0.951, 0.865)),
    ),
    Aim(
        on="the same rule, pump",
        must=">= .971 .929 .857",
        known="those; MIMII's own AE .799 .734 .670",
        row="knn-mimii-pump",
        checks=_mimii("AUC", (0.971, 0.929, 0.857)),
    ),
    Aim(
        on="motor, each state in turn as normal, the best recipe (embedding), folds at random",
        must="mean AUC of the 20 pairs >= .88, worst pair >= .70",
        known=".84, worst .64",
        row="embedding-phases",
        checks=(Check("pairs phases mean AUC", least=0.88), Check("pairs phases worst AUC", least=0.70)),
    ),
    Aim(
        on="the same, tested on a quarter of the recordings in one piece",
        must="mean >= .88, worst >= .70",
        known="-",
        row="embedding-phases-blocks",
        checks=(Check("pairs phases mean AUC", least=0.88), Check("pairs phases worst AUC", least=0.70)),
        why="the motor drifts: a quarter in one piece lies outside of what the other three quarters held, and is taken"
        " for a fault by both methods tried (knn comes to .71 and .50); it must be learned over a time in which it"
        " does all that it does",
    ),
    Aim(
        on="scream, 5-fold by source, at most 200,000 parameters",
        must="frame F1 >= .90, clip F1 >= .96",
        known=".84, .91; Eye-SCREAM .936 on its own set",
        row="scream-compact",
        checks=(Check("frame F1, scream set alone", least=0.90), Check("clip F1, scream set", least=0.96)),
        why=_SCREAM_WHY,
    ),
    Aim(
        on="the same, 20 dB quieter",
        must="within .02 of that: frame F1 >= .88, clip F1 >= .94",
        known="-",
        row="scream-compact",
        checks=(
            Check("20 dB quieter: frame F1, scream set alone", least=0.88),
            Check("20 dB quieter: clip F1, scream set", least=0.94),
        ),
        why=_SCREAM_WHY,
    ),
    Aim(
        on="screams mixed into `ambience` at 0, -5 dB",
        must="clip recall >= .95, .85",
        known=".93, .75",
        row="scream-compact",
        checks=(
            Check("clip recall before a room, 0 dB", least=0.95),
            Check("clip recall before a room, -5 dB", least=0.85),
        ),
        why=_SCREAM_WHY,
    ),
    Aim(
        on="hard negatives (ESC-10, infant cries, laughter, applause), 5-fold by source",
        must="clip recall >= .95 at <= 2 % false clips, <= 10 % of any class",
        known="recall .92, 3 % of all, 19 % of baby cries and roosters",
        row="scream-compact",
        checks=(
            Check("clip recall", least=0.95),
            Check("false clips", most=0.02),
            Check("false clips of the worst class", most=0.10),
        ),
        why=_SCREAM_WHY,
    ),
)
"""All of them, in the order of the page."""


def table_of(rows: Mapping[str, Row], aims: tuple[Aim, ...] = AIMS) -> str:
    """The aims, what was reached, and a sentence for each that was missed."""
    lines = ["| on | must reach | known | reached | | row |", "|---|---|---|---|---|---|"]
    missed = []
    for aim in aims:
        row = rows.get(aim.row)
        figures = {} if row is None else row.figures
        values = [(check, figures[check.figure].mean) for check in aim.checks if check.figure in figures]
        if len(values) < len(aim.checks):
            reached, said = "-", "not measured"
        else:
            reached = "<br>".join(f"{check.figure} {value:.3f}" for check, value in values)
            said = "reached" if all(check.holds(value) for check, value in values) else "**missed**"
        lines.append(f"| {aim.on} | {aim.must} | {aim.known} | {reached} | {said} | `{aim.row}` |")
        if said == "**missed**" and aim.why:
            missed.append(f"- {aim.on}: {aim.why}.")
    return "\n".join([*lines, "", *missed, *([""] if missed else [])])
