"""MIMII, in each of its folder layouts.

Purohit et al., MIMII dataset: sound dataset for malfunctioning industrial machine investigation and inspection, DCASE
2019 (arXiv 1909.09347; Zenodo 3384388). 16 kHz, eight channels, ten seconds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import WrongLayout
from trainers.data.loaders.clip import Clip, Label, header_of
from trainers.data.loaders.finding import check_set, sound_files

SAMPLE_RATE = 16_000

_MACHINE = r"(?P<machine>[A-Za-z]+)/(?P<unit>id_\d{2})/(?P<label>normal|abnormal)/(?P<number>\d+)\.wav$"
# Unpacked by the baseline: dataset/min6dB/fan/id_00/normal/00000000.wav
_BASELINE = re.compile(r"(?:^|/)(?P<sign>min)?(?P<db>\d+(?:\.\d+)?)dB/" + _MACHINE)
# Unpacked archives: -6_dB_fan/fan/id_00/normal/00000000.wav
_ARCHIVE = re.compile(r"(?:^|/)(?P<db>-?\d+(?:\.\d+)?)_dB_(?P<folder>[A-Za-z]+)/" + _MACHINE)
# A single machine type; the path does not give the SNR.
_BARE = re.compile(r"(?:^|/)" + _MACHINE)


def is_mimii(path: Path) -> bool:
    """Whether a path follows one of MIMII's layouts."""
    return any(pattern.search(path.as_posix()) for pattern in (_BASELINE, _ARCHIVE, _BARE))


def load_mimii(root: Path) -> list[Clip]:
    """All clips of a MIMII folder, in order.

    The channel is chosen in :meth:`trainers.data.loaders.clip.Clip.samples`; the baseline's protocol takes the first.

    Args:
        root: folder with ``min6dB/fan/...`` (with or without ``dataset/``), ``-6_dB_fan/fan/...`` or ``fan/id_00/...``.

    Raises:
        UnreadableInput: not a folder, or no recording in it.
        WrongLayout: a path does not give machine, id and label; there is only one clip, or no normal one.
        UnusableAudio: a file does not have 16 kHz.
    """
    clips = []
    for path in sound_files(root):
        name = path.relative_to(root).as_posix()
        # The whole path is searched, since the root may be inside the layout, such as .../6dB/fan.
        match = next((m for p in (_BASELINE, _ARCHIVE, _BARE) if (m := p.search(path.as_posix()))), None)
        if match is None:
            raise WrongLayout(
                f"{path}: its path is not .../6dB/fan/id_00/normal/00000000.wav nor"
                " .../6_dB_fan/fan/id_00/normal/00000000.wav: move it or remove it"
            )
        rate, channels, length = header_of(path)
        parts = match.groupdict()
        label: Label = "normal" if parts["label"] == "normal" else "abnormal"
        clips.append(
            Clip(
                path=path,
                name=name,
                machine=parts["machine"],
                unit=parts["unit"],
                label=label,
                # Clips at all SNRs are mixed from one recording of the machine.
                group="/".join(parts[key] for key in ("machine", "unit", "label", "number")),
                sample_rate=rate,
                channels=channels,
                length=length,
                snr_db=_snr(parts),
            )
        )
    return check_set(clips, root, SAMPLE_RATE)


def baseline_split(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Training and test clips of one machine at one SNR, as MIMII's baseline splits them.

    Args:
        clips: of one machine at one SNR, normal and abnormal, in order.

    Returns:
        The remaining normal clips; and as many first normal clips as abnormal ones, with all abnormal ones.

    Raises:
        WrongLayout: there is no abnormal clip, or no normal one would be left for training.
    """
    normal = [clip for clip in clips if clip.label == "normal"]
    abnormal = [clip for clip in clips if clip.label == "abnormal"]
    if not abnormal or len(normal) <= len(abnormal):
        where = clips[0].path.parent.parent if clips else "the set"
        raise WrongLayout(
            f"{where}: {len(normal)} normal and {len(abnormal)} abnormal clips; the test takes as many normal as"
            " abnormal ones, and at least one more must be left for training"
        )
    return normal[len(abnormal) :], normal[: len(abnormal)] + abnormal


def _snr(parts: dict[str, str | None]) -> float | None:
    if parts.get("db") is None:
        return None
    value = float(str(parts["db"]))
    return -value if parts.get("sign") else value
