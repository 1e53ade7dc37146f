"""`tocsin score`: score files offline, with the code that scores the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from producers.sources.sensor import SensorOptions
from schemas.errors import InputError
from schemas.score_text import score_text
from tocsin.cli.options import JsonLines
from tocsin.console import DataTable, terminal
from tocsin.scoring import FileScorer, detector_model, source_of
from tocsin.terminal import print_error, print_json

_TABLES = {".npz", ".csv"}


def score(
    files: Annotated[list[Path], typer.Argument(readable=False, help="Audio files, or npz and CSV waveforms.")],
    detector: Annotated[
        str | None, typer.Option(help="Detector to score with, by its shipped model: scream or machine.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file to use instead of the shipped one.")] = None,
    json: JsonLines = False,
    rate: Annotated[
        int | None, typer.Option(min=1, help="Sample rate in Hz, if a CSV or npz file does not contain it.")
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="Array or column of a CSV or npz file, by name or by number from 1.")
    ] = None,
    one_device: Annotated[
        bool, typer.Option("--one-device", help="Score the files as sessions of one device, which share a threshold.")
    ] = False,
) -> None:
    """Score files offline, as the stream would.

    Windows, features, model and threshold are the same as for a device that sends the files. A file shorter than one
    window is extended at its own noise floor, which is reported on standard error. A file that cannot be read is
    reported, the others are scored, and the exit code is 2.
    """
    scorer = FileScorer(detector_model(detector, model))
    table = DataTable(
        Column("file", overflow="fold"), "windows", "alarms", "alerts", "median score", "highest score", "at second"
    )
    options, refused = SensorOptions(column=column, sample_rate=rate), 0
    for file in files:
        if not one_device:
            scorer.reset()
        try:
            _score_file(scorer, file, options, json=json, table=table)
        except InputError as error:
            refused += 1
            print_error(f"tocsin: {error}")
    if not json and table.rows:
        terminal().print(table)
    if refused:
        raise typer.Exit(InputError.exit_code)


def _score_file(scorer: FileScorer, file: Path, options: SensorOptions, *, json: bool, table: Table) -> None:
    scores, alerts = [], 0
    source = source_of(file, options)
    filled = scorer.missing(source)
    if filled:
        lasts, filled_s = (one / source.sample_rate for one in (source.n_samples or 0, filled))
        print_error(
            f"tocsin: {file} lasts {lasts:.2f} s, less than a window of {lasts + filled_s:.2f} s: the rest of"
            f" {filled_s:.2f} s is filled up at its own noise floor"
        )
    for output in scorer.score(source):
        score = output.score
        start_s = score.first_sample / score.sample_rate
        scores.append((score.score, start_s, score.exceeds))
        alerts += output.alert is not None and output.alert.state == "opened"
        if json:
            line = {
                "file": str(file),
                "first_sample": score.first_sample,
                "start_s": round(start_s, 6),
                "score": score.score,
                "threshold": score.threshold,
                "alarm": score.exceeds,
                "filled_s": round(filled / score.sample_rate, 6),
            }
            print_json(line)
    if not scores:
        if json:
            print_error(f"tocsin: {file} is too short: it does not fill one frame; record for longer")
        table.add_row(file.name, "0", "", "", "", "", "too short for a frame")
        return
    highest, at, _ = max(scores)
    median = sorted(value for value, _, _ in scores)[len(scores) // 2]
    alarms = sum(exceeds for _, _, exceeds in scores)
    table.add_row(
        file.name, str(len(scores)), str(alarms), str(alerts), score_text(median), score_text(highest), f"{at:.2f}"
    )
