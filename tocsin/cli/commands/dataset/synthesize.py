"""`tocsin dataset synthesize`: small sets in the layouts of public ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import SettingsError
from tocsin.cli.options import Json
from tocsin.terminal import print_json, print_line


def synthesize(
    layout: Annotated[str, typer.Option(help="mimii, mimii-zip, dcase, dcase-2020, leak or folders.")],
    out: Annotated[Path, typer.Option(help="Folder to create; it must be new or empty.")],
    types: Annotated[str, typer.Option(help="Machine types, separated by commas.")] = "fan,pump,slider,valve",
    ids: Annotated[int, typer.Option(min=1, max=50, help="Machines per type.")] = 4,
    snr: Annotated[str, typer.Option(help="Level of the machine over factory noise, dB, separated by commas.")] = (
        "6,0,-6"
    ),
    clips: Annotated[int, typer.Option(min=2, max=10_000, help="Normal clips per machine and SNR.")] = 8,
    anomalies: Annotated[int, typer.Option(min=1, max=10_000, help="Clips with a fault per machine and SNR.")] = 4,
    seconds: Annotated[float, typer.Option(min=1.0, max=60.0, help="Length of a clip.")] = 4.0,
    severity: Annotated[float, typer.Option(min=-40.0, max=20.0, help="Level of a fault over its machine, dB.")] = 0.0,
    channels: Annotated[int, typer.Option(min=1, max=8, help="Channels in the MIMII layouts; MIMII has 8.")] = 2,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed writes the same files.")] = 7,
    json: Json = False,
) -> None:
    """Write a small synthetic set in the layout of a public one. Machines in factory noise, some with a fault."""
    try:
        snrs_db = tuple(float(one) for one in snr.split(","))
    except ValueError:
        raise SettingsError(f"--snr {snr!r} is not a list of numbers such as 6,0,-6") from None
    # Imported late: the trainers take a second to load.
    from trainers.data.synthetic_set import SetOptions, write_set

    options = SetOptions(
        types=tuple(types.split(",")),
        ids=ids,
        snr_db=snrs_db,
        clips=clips,
        anomalies=anomalies,
        seconds=seconds,
        severity_db=severity,
        channels=channels,
        seed=seed,
    )
    written = write_set(layout, out, options)
    if json:
        print_json({"out": str(out), "layout": layout, "files": written})
        return
    print_line(f"{out}: {written} files in the layout {layout!r}")
