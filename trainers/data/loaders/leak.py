"""Loggers on water pipes: the file names of AudioAnomalyDetection2022's set.

``{point}-{device}-{time}-{leak}{noise}{material}{diameter}.wav``: leak 1 none, 2 suspected, 3 leak; noise 1 to 5; two
digits of material and four of diameter.
"""

from __future__ import annotations

import re
from pathlib import Path

from schemas.errors import WrongLayout
from trainers.data.loaders.clip import Clip, Label, header_of
from trainers.data.loaders.finding import check_set, sound_files

SAMPLE_RATE = 8_000

_NAME = re.compile(
    r"(?P<point>[^-]+)-(?P<device>[^-]+)-(?P<time>[^-]+)-"
    r"(?P<leak>[123])(?P<noise>[1-5])(?P<material>\d{2})(?P<diameter>\d{4})$"
)
_LABELS: dict[str, Label] = {"1": "normal", "2": "unknown", "3": "abnormal"}


def is_leak(path: Path) -> bool:
    """Whether a file name follows the set's pattern."""
    return _NAME.fullmatch(path.stem) is not None


def load_leak(root: Path) -> list[Clip]:
    """All clips of a folder, in order of their names; the group is the logger.

    Raises:
        UnreadableInput: not a folder, or no recording in it.
        WrongLayout: a name does not follow the pattern; there is only one clip, or no normal one.
        UnusableAudio: a file does not have 8 kHz.
    """
    clips = []
    for path in sound_files(root):
        found = _NAME.fullmatch(path.stem)
        if found is None:
            raise WrongLayout(
                f"{path}: its name is not POINT-DEVICE-TIME-LNMMDDDD.wav with leak L 1 to 3, noise N 1 to 5, two digits"
                " of material and four of diameter: rename it or remove it"
            )
        fields = found.groupdict()
        rate, channels, length = header_of(path)
        clips.append(
            Clip(
                path=path,
                name=path.relative_to(root).as_posix(),
                machine="pipe",
                unit=fields["device"],
                label=_LABELS[fields["leak"]],
                group=f"{fields['point']}-{fields['device']}",
                sample_rate=rate,
                channels=channels,
                length=length,
                details={key: fields[key] for key in ("point", "time", "leak", "noise", "material", "diameter")},
            )
        )
    return check_set(clips, root, SAMPLE_RATE)
