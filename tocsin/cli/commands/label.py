"""`tocsin label`: predicted labels of recordings, for a person to confirm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from processors.adapters.models.onnx_model import load_model, load_shipped
from tocsin.cli.options import JsonLines
from tocsin.models.model_file import examine_file
from tocsin.terminal import print_json, print_line

_DETECTOR = "scream"


def label(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    model: Annotated[Path | None, typer.Option(help="Model file to use instead of the shipped scream model.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for label files and review sheets.")] = Path("labels"),
    json: JsonLines = False,
) -> None:
    """Find sound events in recordings and predict their labels.

    Writes Audacity label files and review sheets. Open a recording and its label file in Audacity, correct the labels,
    and save them beside the recording: training reads them there. Labels that begin with a question mark are uncertain
    and are not used for training.
    """
    from trainers.labelling.segments import label_folder, summary

    # The file may come from anywhere: it is tried in a child process before it is loaded here.
    scorer = load_shipped(_DETECTOR) if model is None else load_model(model, examine_file(model).sha256)
    segments = label_folder(folder, scorer, scorer.manifest.detector, out)
    if json:
        for one in segments:
            line = {
                "file": one.recording,
                "start_s": round(one.start_s, 3),
                "end_s": round(one.end_s, 3),
                "score": one.score,
                "label": one.text,
            }
            print_json(line)
        return
    counts = ", ".join(f"{count} {text}" for text, count in sorted(summary(segments).items())) or "no sound events"
    print_line(f"{out}: {len(segments)} segments of {len({one.recording for one in segments})} recordings: {counts}")
