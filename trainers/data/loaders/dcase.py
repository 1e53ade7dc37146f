"""DCASE Task 2: file names of 2020, and of 2021 and later."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.errors import WrongLayout
from trainers.data.loaders.clip import Clip, Label, Split, header_of
from trainers.data.loaders.finding import check_set, sound_files

# section_00_source_train_normal_0000_strength_1_ambient.wav
_SECTION = re.compile(
    r"section_(?P<section>\d{2})_(?P<domain>source|target)_(?P<split>train|test)_(?P<label>normal|anomaly)"
    r"_(?P<number>\d{4,})(?:_(?P<attributes>.+))?$"
)
# section_00_0000 in evaluation sets, whose labels are published elsewhere.
_UNLABELLED = re.compile(r"section_(?P<section>\d{2})_(?P<number>\d{4,})$")
# normal_id_01_00000000.wav; evaluation sets: id_01_00000000.wav
_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?id_(?P<unit>\d{2})_(?P<number>\d{8})$")

_PARTS: dict[str, Split] = {"train": "train", "test": "test", "source_test": "test", "target_test": "test"}


def is_dcase(path: Path) -> bool:
    """Whether a file name follows one of the task's patterns."""
    return _match(path.stem) is not None


def load_dcase(root: Path) -> list[Clip]:
    """All clips of a development or evaluation folder, in order.

    Args:
        root: folder that holds ``fan/train/*.wav`` and ``fan/test/*.wav``, for one machine type or several.

    Raises:
        UnreadableInput: not a folder, or no recording in it.
        WrongLayout: a name follows none of the task's patterns; there is only one clip, or no normal one.
        UnusableAudio: the files have different rates.
    """
    return check_set([_clip(path, root) for path in sound_files(root)], root)


def _clip(path: Path, root: Path) -> Clip:
    stem, part, machine = path.stem, path.parent.name, path.parent.parent.name
    if part not in _PARTS:
        raise WrongLayout(f"{path}: its folder is {part!r}; {', '.join(_PARTS)} below a machine's folder are read")
    found = _match(stem)
    if found is None:
        raise WrongLayout(
            f"{path}: its name is not section_00_source_train_normal_0000_....wav nor normal_id_01_00000000.wav:"
            " rename it or remove it"
        )
    fields: dict[str, str] = {key: value for key, value in found.groupdict().items() if value is not None}
    if "split" in fields and fields["split"] != _PARTS[part]:
        raise WrongLayout(f"{path}: its name belongs to {fields['split']}, its folder is {part}: move it")
    unit = f"section_{fields['section']}" if "section" in fields else f"id_{fields['unit']}"
    labels: dict[str, Label] = {"normal": "normal", "anomaly": "abnormal"}
    rate, channels, length = header_of(path)
    details: dict[str, str] = {key: text for key, text in fields.items() if key in {"domain", "attributes"}}
    return Clip(
        path=path,
        name=path.relative_to(root).as_posix(),
        machine=machine,
        unit=unit,
        label=labels.get(fields.get("label", ""), "unknown"),
        group=f"{machine}/{part}/{stem}",
        sample_rate=rate,
        channels=channels,
        length=length,
        split=_PARTS[part],
        details=details,
    )


def _match(stem: str) -> re.Match[str] | None:
    return _SECTION.fullmatch(stem) or _UNLABELLED.fullmatch(stem) or _2020.fullmatch(stem)
