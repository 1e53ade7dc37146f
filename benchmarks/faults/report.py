"""The report: a table of faults and invariants, on the terminal, as JSON and in docs/faults.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.kept import KeptRun
from benchmarks.faults.oracle.evidence import Finding, Message

_SHOWN = 5
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, judged.

    Attributes:
        run: what it was.
        findings: by invariant.
    """

    run: KeptRun
    findings: Sequence[Finding]

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return not any(finding.broken for finding in self.findings)

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        run = self.run
        return {
            "seed": run.seed,
            "build": run.build,
            "minutes": run.minutes,
            "devices": run.devices,
            "faults": dict(Counter(action.name for action in run.schedule)),
            "windows": _different(run.evidence.scores),
            "alerts": _different(run.evidence.alerts),
            "commits": len(run.evidence.commits),
            "findings": [
                {"invariant": f.invariant, "checked": f.checked, "broken": len(f.broken), "figure": f.figure,
                 "examples": list(f.broken[:_SHOWN])}
                for f in self.findings
            ],
        }  # fmt: skip


def _different(messages: Sequence[Message]) -> int:
    return len({dict(message.headers).get("ce_id") for message in messages})


def lines(run: Judged) -> list[str]:
    """The findings of one run, for a terminal."""
    figures = run.fields()
    title = f"{len(run.run.schedule)} faults" if run.run.schedule else "calm"
    found = [
        f"seed {run.run.seed}, {title}: {figures['windows']} windows, {figures['alerts']} alert records, "
        f"{figures['commits']} commits"
    ]
    for finding in run.findings:
        mark = "FAILS" if finding.broken else "holds"
        figure = f", {finding.figure}" if finding.figure else ""
        found.append(f"  {mark}  {finding.invariant}: {len(finding.broken)} of {finding.checked}{figure}")
        found += [f"           {line}" for line in finding.broken[:_SHOWN]]
    return found


def table(saved: dict[str, Any]) -> str:
    """The table of docs/faults.md, from the saved result."""
    machine, runs = saved["machine"], saved["figures"]["runs"]
    calm, hard = [run for run in runs if not run["faults"]], [run for run in runs if run["faults"]]
    faults = sum((Counter(run["faults"]) for run in hard), Counter[str]())
    drawn = ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    builds = ", ".join(sorted({f"`{run['build']}`" for run in runs}))
    rows = [
        f"On {machine['cores']} cores of an {machine['cpu']}, Python {saved['python']}: {_range(runs, 'minutes')} "
        f"minutes each, {_range(runs, 'devices')} devices and the eight of `tocsin produce synthetic`, two or three "
        f"workers. Builds: {builds}.",
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


def _range(runs: Sequence[dict[str, Any]], name: str) -> str:
    values = sorted({run[name] for run in runs})
    return f"{values[0]:g}" if len(values) == 1 else f"{values[0]:g} to {values[-1]:g}"


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
