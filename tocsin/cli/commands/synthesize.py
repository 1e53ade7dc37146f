"""`tocsin dataset synthesize`: small sets in the layouts of the public ones."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import SettingsError


def synthesize(
    layout: Annotated[str, typer.Option(help="mimii, mimii-zip, dcase, dcase-2020, leak or folders.")],
    out: Annotated[Path, typer.Option(help="Folder to make; it must not hold anything yet.")],
    types: Annotated[str, typer.Option(help="Machine types, separated by commas.")] = "fan,pump,slider,valve",
    ids: Annotated[int, typer.Option(min=1, max=50, help="Machines of each type.")] = 4,
    snr: Annotated[str, typer.Option(help="Machine over factory noise, dB, separated by commas.")] = "6,0,-6",
    clips: Annotated[int, typer.Option(min=2, max=10_000, help="Normal clips of a machine at each SNR.")] = 8,
    anomalies: Annotated[int, typer.Option(min=1, max=10_000, help="Clips with a fault, likewise.")] = 4,
    seconds: Annotated[float, typer.Option(min=1.0, max=60.0, help="Length of a clip.")] = 4.0,
    severity: Annotated[float, typer.Option(min=-40.0, max=20.0, help="A fault's level over its machine, dB.")] = 0.0,
    channels: Annotated[int, typer.Option(min=1, max=8, help="Channels of the MIMII layouts; MIMII has 8.")] = 2,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed gives the same files.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write a small synthetic set in a public set's layout: machines in factory noise, some with a fault."""
    try:
        levels = tuple(float(one) for one in snr.split(","))
    except ValueError:
        raise SettingsError(f"--snr {snr!r} is not a list of numbers such as 6,0,-6") from None
    # The writers share their names with the loaders, which stand among the trainers.
    from trainers.data.synthetic_set import SetOptions, write_set

    options = SetOptions(
        types=tuple(types.split(",")),
        ids=ids,
        snr_db=levels,
        clips=clips,
        anomalies=anomalies,
        seconds=seconds,
        severity_db=severity,
        channels=channels,
        seed=seed,
    )
    written = write_set(layout, out, options)
    if json:
        print(json_format.dumps({"out": str(out), "layout": layout, "files": written}))
        return
    print(f"{out}: {written} files in the layout {layout!r}")
