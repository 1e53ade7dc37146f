"""The short form of benchmarks.faults: one random schedule of a minute, judged from the topics alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.device_plan import draw_devices
from benchmarks.faults.kept import KeptRun
from benchmarks.faults.oracle.judgement import judge
from benchmarks.faults.report import Judged, lines
from benchmarks.faults.run import Run
from benchmarks.faults.schedule import draw_schedule

pytestmark = pytest.mark.integration

SEED, SECONDS, DEVICES = 9, 60.0, 9
FAULTS = ("workers", "kafka")
HABITS = ("steady", "gaps", "repeats", "restarts", "pauses", "regimes")


def test_a_minute_of_random_faults_breaks_no_promise(tmp_path: Path) -> None:
    schedule = draw_schedule(SEED, SECONDS, FAULTS)
    assert {action.name.partition("-")[0] for action in schedule} == {"worker", "kafka"}
    plans = draw_devices(SEED, DEVICES, SECONDS, HABITS)

    evidence = Run(tmp_path / "run", SEED, SECONDS, plans, schedule, print).carry_out()

    findings = judge(evidence)
    told = "\n".join(lines(Judged(KeptRun(SEED, SECONDS / 60, DEVICES, "", schedule, evidence), findings)))
    assert not [finding for finding in findings if finding.broken], told
    assert len(evidence.scores) > 500, told
    assert len(evidence.alerts) > 3, told
