"""`tocsin experiment`: multi-training experiments."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import SettingsError
from tocsin.cli.options import key_values
from tocsin.terminal import print_json, print_lines

experiment = typer.Typer(name="experiment", add_completion=False, no_args_is_help=True)


@experiment.callback()
def _group() -> None:
    """Run multi-training experiments."""


@experiment.command("transfer")
def transfer(
    data: Annotated[Path, typer.Option(help="A set of several machine types, with normal and abnormal clips.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs, the table and the plot.")] = Path("transfer"),
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed gives the same figures.")] = 7,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as preset=small; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the rows of the table as JSON.")] = False,
) -> None:
    """Measure what pretraining on other machines saves.

    Does a pretrained model need less sound of a new machine? Four transfer plans are trained on growing shares of the
    new machine's sound, each beside a model from scratch.
    """
    # Imported late: the training libraries take seconds to load.
    from trainers.data.loaders.layout import load_clips
    from trainers.data.synthetic_set import is_synthetic
    from trainers.experiments.transfer.experiment import TransferOptions, run_all
    from trainers.experiments.transfer.report import plot_of, rows_of, table_of
    from trainers.files import write_all_atomically
    from trainers.recipes.one_class.data import select_clips

    options = TransferOptions.parse(key_values(settings))
    shares = _shares(options.shares)
    clips = load_clips(data)
    levels = [clip.snr_db for clip in clips if clip.snr_db is not None]
    snr = options.snr or (f"{min(levels):g}" if levels else "")
    runs = run_all(select_clips(clips, "", "", snr), options, shares, seed)
    rows = rows_of(runs)
    kind = "synthetic recordings" if is_synthetic(data) else "recordings"
    title = f"Transfer on {kind}" + (f" at {snr} dB" if snr else "")
    heading = (
        f"{title}: AUC of clips with its 95 % interval over {options.seeds} seeds; in brackets the difference to the"
        " model from scratch"
    )
    figures = {
        "synthetic": is_synthetic(data),
        "snr_db": snr,
        "options": options.model_dump(),
        "seed": seed,
        "rows": [asdict(row) for row in rows],
        "runs": [asdict(run) for run in runs],
    }
    write_all_atomically(
        {
            out / "transfer.json": (json_format.dumps(figures, indent=1) + "\n").encode(),
            out / "transfer.md": table_of(rows, heading).encode(),
            out / "transfer.png": plot_of(rows, title),
        }
    )
    if json:
        print_json({"rows": figures["rows"]})
    else:
        print_lines(table_of(rows, heading).splitlines())


def _shares(text: str) -> list[float]:
    try:
        shares = [float(one) for one in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0.0 < share <= 100.0 for share in shares):
        raise SettingsError(f"option 'shares' is {text!r}: give percentages such as 1,5,20,100")
    return shares
