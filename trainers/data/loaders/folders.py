"""Plain folders: ``normal`` and ``abnormal``, anywhere below the root."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import WrongLayout
from trainers.data.loaders.clip import Clip, Label, header_of
from trainers.data.loaders.finding import check_set, sound_files
from trainers.data.recordings import source_of

LABELS: dict[str, Label] = {
    "normal": "normal",
    "good": "normal",
    "ok": "normal",
    "abnormal": "abnormal",
    "anomaly": "abnormal",
    "anomalous": "abnormal",
    "faulty": "abnormal",
}
"""Labels by folder name."""


def is_labelled(path: Path) -> bool:
    """Whether one of a file's folders is a label."""
    return any(folder.lower() in LABELS for folder in path.parent.parts)


def load_folders(root: Path) -> list[Clip]:
    """All clips below the folders of :data:`LABELS`, in order.

    The path above the label's folder is the machine, the path below it the unit; numbered cuts of one recording
    (``pump_1.wav``, ``pump_2.wav``) are one group.

    Raises:
        UnreadableInput: not a folder, or no recording in it.
        WrongLayout: a file is in no such folder; there is only one clip, or no normal one.
        UnusableAudio: the files have different rates.
    """
    clips = []
    for path in sound_files(root):
        folders = path.relative_to(root).parent.parts
        at = next((index for index, folder in enumerate(folders) if folder.lower() in LABELS), None)
        if at is None:
            raise WrongLayout(
                f"{path} is in none of the folders {', '.join(LABELS)}: sort the set into normal and abnormal"
            )
        rate, channels, length = header_of(path)
        clips.append(
            Clip(
                path=path,
                name=path.relative_to(root).as_posix(),
                machine="/".join(folders[:at]),
                unit="/".join(folders[at + 1 :]),
                label=LABELS[folders[at].lower()],
                group=source_of("/".join(folders), path.stem),
                sample_rate=rate,
                channels=channels,
                length=length,
            )
        )
    return check_set(clips, root)
