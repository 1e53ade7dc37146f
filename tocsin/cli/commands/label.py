"""`tocsin label`: recordings into label files that a person confirms."""

from __future__ import annotations

import json as json_format
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from processors.adapters.models.onnx_model import load_model, load_shipped
from schemas.errors import ComponentMissing
from tocsin.models.model_file import examine_given

_NEEDED = ("matplotlib",)
_DETECTOR = "scream"


def label(
    folder: Annotated[Path, typer.Argument(help="Folder of recordings.")],
    model: Annotated[Path | None, typer.Option(help="A model file, in the shipped scream model's place.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for label files and sheets.")] = Path("labels"),
    json: Annotated[bool, typer.Option("--json", help="One JSON line a segment.")] = False,
) -> None:
    """Find what sounds in recordings, predict what it is, and write Audacity labels and sheets to confirm them from.

    Open a recording with its label file in Audacity, correct it, and save the labels beside the recording: training
    takes them from there. Labels that begin with a question mark are uncertain and are not learned from.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ComponentMissing(
            f"labelling needs {', '.join(missing)}: install the extra with pip install 'tocsin[train]'"
        )
    from trainers.labelling.segments import label_folder, summary

    # The file may come from anywhere: it is tried elsewhere before it is loaded here.
    ear = load_shipped(_DETECTOR) if model is None else load_model(model, examine_given(model).sha256)
    segments = label_folder(folder, ear, ear.manifest.detector, out)
    if json:
        for one in segments:
            line = {
                "file": one.recording,
                "start_s": round(one.start_s, 3),
                "end_s": round(one.end_s, 3),
                "score": one.score,
                "label": one.text,
            }
            print(json_format.dumps(line))
        return
    counts = ", ".join(f"{count} {text}" for text, count in sorted(summary(segments).items())) or "nothing sounds"
    print(f"{out}: {len(segments)} segments of {len({one.recording for one in segments})} recordings: {counts}")
