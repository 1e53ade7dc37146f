"""MIMII, in either of the folder layouts it is kept in.

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
# As the baseline unpacks it: dataset/min6dB/fan/id_00/normal/00000000.wav
_BASELINE = re.compile(r"(?:^|/)(?P<sign>min)?(?P<db>\d+(?:\.\d+)?)dB/" + _MACHINE)
# As the archives unpack: -6_dB_fan/fan/id_00/normal/00000000.wav
_ARCHIVE = re.compile(r"(?:^|/)(?P<db>-?\d+(?:\.\d+)?)_dB_(?P<folder>[A-Za-z]+)/" + _MACHINE)
# One machine type unpacked by itself: nothing says the SNR.
_BARE = re.compile(r"(?:^|/)" + _MACHINE)


def is_mimii(path: Path) -> bool:
    """Whether a path is one of MIMII's."""
    return any(pattern.search(path.as_posix()) for pattern in (_BASELINE, _ARCHIVE, _BARE))


def load_mimii(root: Path) -> list[Clip]:
    """All clips of a MIMII folder, in order.

    Channels are left to :meth:`trainers.data.loaders.clip.Clip.samples`: the baseline's protocol takes the first.

    Args:
        root: what holds ``min6dB/fan/...`` (with or without ``dataset/``), ``-6_dB_fan/fan/...`` or ``fan/id_00/...``.

    Raises:
        UnreadableInput: no folder, or no recording in it.
        WrongLayout: a path says nothing of machine, id and label; a machine has no normal or one clip only.
        UnusableAudio: a file is not of 16 kHz.
    """
    clips = []
    for path in sound_files(root):
        name = path.relative_to(root).as_posix()
        # A root within the layout, such as .../6dB/fan, leaves the rest of the names to its own.
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
                # A clip is mixed with noise of every SNR from one take of the machine.
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
        The normal clips after the first ones, and the first normal clips with all abnormal ones, half and half.

    Raises:
        WrongLayout: there is no abnormal clip, or no normal one would be left to learn from.
    """
    normal = [clip for clip in clips if clip.label == "normal"]
    abnormal = [clip for clip in clips if clip.label == "abnormal"]
    if not abnormal or len(normal) <= len(abnormal):
        where = clips[0].path.parent.parent if clips else "the set"
        raise WrongLayout(
            f"{where}: {len(normal)} normal and {len(abnormal)} abnormal clips; as many normal as abnormal ones are"
            " for the test, and one at least to learn from"
        )
    return normal[len(abnormal) :], normal[: len(abnormal)] + abnormal


def _snr(parts: dict[str, str | None]) -> float | None:
    if parts.get("db") is None:
        return None
    value = float(str(parts["db"]))
    return -value if parts.get("sign") else value
