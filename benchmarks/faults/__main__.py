"""Random schedules of faults on a real Kafka and Redis, judged from the topics alone; a calm run beside them.

``python -m benchmarks.faults --seeds 10 --minutes 3`` runs a calm schedule and seeds 1 to 10 and saves
``results/faults.json``; ``--seed S`` repeats one. Everything runs on the loopback interface in a temporary folder, ends
by itself and leaves no process. The exit code is 1 where an invariant is broken.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.faults import report
from benchmarks.faults.device_plan import HABITS, draw_devices
from benchmarks.faults.kept import KeptRun, current_build, keep, keep_files, load
from benchmarks.faults.oracle.judgement import judge
from benchmarks.faults.run import Run
from benchmarks.faults.schedule import FAULTS, draw_schedule
from benchmarks.result import save

RESULT = Path(__file__).parents[1] / "results" / "faults.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"


def main() -> None:
    """Runs the schedules, or judges runs that were kept."""
    options = _options()
    if options.redraw:
        redraw()
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends in order, as Ctrl-C does
    signal.signal(signal.SIGINT, signal.default_int_handler)
    console, runs = Console(stderr=True, highlight=False, soft_wrap=True), []
    # Closed however this ends: a run that is cut short still removes its folder.
    with Progress(console=console) as progress, closing(_runs(options, console)) as kept:
        for run in progress.track(kept, total=len(options.judge or _jobs(options)), description="runs"):
            runs.append(report.Judged(run, judge(run.evidence)))
            console.print("\n".join(report.lines(runs[-1])), markup=False)
            if options.save:  # after each, so that a run of hours can be ended at any time
                save("faults", {"runs": [one.fields() for one in runs]})
                redraw()
    sys.exit(0 if all(one.holds for one in runs) else 1)


def _jobs(options: argparse.Namespace) -> list[tuple[int, tuple[str, ...]]]:
    seeds = options.seed or list(range(1, options.seeds + 1))
    calm: list[tuple[int, tuple[str, ...]]] = [(seeds[0], ())] if options.calm else []
    return calm + [(seed, tuple(options.faults)) for seed in seeds]


def _runs(options: argparse.Namespace, console: Console) -> Generator[KeptRun, None, None]:
    if options.judge:
        yield from map(load, options.judge)
    else:
        yield from _run_all(options, console)


def _run_all(options: argparse.Namespace, console: Console) -> Generator[KeptRun, None, None]:
    """Carries out one schedule after the other; its files are there until the next, and stay where ``--keep`` says."""
    for seed, groups in _jobs(options):
        seconds = options.minutes * 60.0
        folder = Path(tempfile.mkdtemp(prefix="tocsin-faults-"))
        plans = draw_devices(seed, options.devices, seconds, tuple(options.habits))
        schedule = draw_schedule(seed, seconds, groups)
        target = None if options.keep is None else options.keep / f"seed-{seed}{'' if schedule else '-calm'}"
        build = current_build()
        try:
            run = Run(folder, seed, seconds, plans, schedule, lambda text: console.print(text, markup=False))
            done = KeptRun(seed, options.minutes, options.devices, build, schedule, run.carry_out())
            if target is not None:
                keep(done, target)
            yield done
        finally:
            if target is not None:
                keep_files(folder, target)
            shutil.rmtree(folder, ignore_errors=True)


def redraw() -> None:
    """Writes the table of the saved result into the page."""
    saved = json.loads(RESULT.read_text(encoding="utf-8"))
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(report.BEGIN)
    tail = rest.partition(report.END)[2]
    table = report.table(saved)
    DOCUMENT.write_text(f"{head}{report.BEGIN}\n\n{table}\n\n{report.END}{tail}", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many schedules: seeds 1, 2, ...")
    parser.add_argument("--seed", type=int, action="append", help="repeat this seed alone; may be given again")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long the devices sound in each")
    parser.add_argument("--devices", type=int, default=21, help="beside the 8 of `tocsin produce synthetic`")
    parser.add_argument("--faults", nargs="*", choices=list(FAULTS), default=list(FAULTS), help="groups drawn from")
    parser.add_argument("--habits", nargs="*", choices=HABITS, default=list(HABITS), help="of devices")
    parser.add_argument("--calm", action="store_true", help="a run without faults before the others")
    parser.add_argument("--keep", type=Path, help="folder for evidence and the workers' logs")
    parser.add_argument("--judge", type=Path, nargs="+", help="run nothing: judge these folders that --keep made")
    parser.add_argument("--save", action="store_true", help="write the result and the page's table")
    parser.add_argument("--redraw", action="store_true", help="write the table of the saved result, and run nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
