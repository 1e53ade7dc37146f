"""The report: a table of faults and invariants, on the terminal, as JSON and in docs/faults.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.oracle.evidence import Evidence, Finding
from benchmarks.faults.schedule import Action

_SHOWN = 5
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, judged.

    Attributes:
        seed: of its schedule; the calm run has one as well.
        calm: whether no fault was drawn.
        schedule: its faults.
        findings: by invariant.
        windows, alerts, commits: how much there was to judge.
    """

    seed: int
    calm: bool
    schedule: Sequence[Action]
    findings: Sequence[Finding]
    windows: int
    alerts: int
    commits: int

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return not any(finding.broken for finding in self.findings)

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "seed": self.seed,
            "calm": self.calm,
            "faults": dict(Counter(action.name for action in self.schedule)),
            "windows": self.windows,
            "alerts": self.alerts,
            "commits": self.commits,
            "findings": [
                {"invariant": f.invariant, "checked": f.checked, "broken": len(f.broken), "figure": f.figure,
                 "examples": list(f.broken[:_SHOWN])}
                for f in self.findings
            ],
        }  # fmt: skip


def judged(seed: int, schedule: Sequence[Action], evidence: Evidence, findings: Sequence[Finding]) -> Judged:
    """A run with what it was judged on."""
    alerts = {dict(message.headers).get("ce_id") for message in evidence.alerts}
    windows = {dict(message.headers).get("ce_id") for message in evidence.scores}
    return Judged(seed, not schedule, schedule, findings, len(windows), len(alerts), len(evidence.commits))


def lines(run: Judged) -> list[str]:
    """The findings of one run, for a terminal."""
    title = "calm" if run.calm else f"{len(run.schedule)} faults"
    found = [f"seed {run.seed}, {title}: {run.windows} windows, {run.alerts} alert records, {run.commits} commits"]
    for finding in run.findings:
        mark = "FAILS" if finding.broken else "holds"
        figure = f", {finding.figure}" if finding.figure else ""
        found.append(f"  {mark}  {finding.invariant}: {len(finding.broken)} of {finding.checked}{figure}")
        found += [f"           {line}" for line in finding.broken[:_SHOWN]]
    return found


def table(saved: dict[str, Any]) -> str:
    """The table of docs/faults.md, from the saved result."""
    figures, machine = saved["figures"], saved["machine"]
    runs = figures["runs"]
    calm, hard = [run for run in runs if run["calm"]], [run for run in runs if not run["calm"]]
    faults = sum((Counter(run["faults"]) for run in hard), Counter[str]())
    drawn = ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    rows = [
        f"On {machine['cores']} cores of an {machine['cpu']}, Python {saved['python']}: {figures['minutes']:g} minutes "
        f"each, {figures['devices']} devices and the eight of `tocsin produce synthetic`, two or three workers.",
        "",
        f"{len(hard)} schedules (seeds {', '.join(str(run['seed']) for run in hard)}) with {sum(faults.values())} "
        f"faults: {drawn}.",
        "",
        f"Judged: {_sum(hard, 'windows')} windows, {_sum(hard, 'alerts')} alert records and {_sum(hard, 'commits')} "
        f"commits under faults; {_sum(calm, 'windows')} windows, {_sum(calm, 'alerts')} alert records and "
        f"{_sum(calm, 'commits')} commits in the calm run.",
        "",
        "| expected | broken, calm | broken, under faults | in seeds |",
        "|---|---:|---:|---|",
    ]
    for number, finding in enumerate((hard or calm)[0]["findings"]):
        broken = [run for run in hard if run["findings"][number]["broken"]]
        rows.append(
            f"| {finding['invariant']} | {_broken(calm, number)} | {_broken(hard, number)} "
            f"| {', '.join(str(run['seed']) for run in broken) or '-'} |"
        )
    return "\n".join(rows)


def _sum(runs: Sequence[dict[str, Any]], name: str) -> str:
    return f"{sum(run[name] for run in runs):,}"


def _broken(runs: Sequence[dict[str, Any]], number: int) -> str:
    if not runs:
        return "not run"
    broken = sum(run["findings"][number]["broken"] for run in runs)
    checked = sum(run["findings"][number]["checked"] for run in runs)
    figures = [run["findings"][number]["figure"] for run in runs if run["findings"][number]["figure"]]
    at_most = [figure for figure in figures if figure.endswith("at most")]
    worst = f" ({max(at_most, key=lambda text: float(text.split()[0]))})" if at_most else ""
    return f"{broken:,} of {checked:,}{worst}"
