"""The files of a data set, and checks every set must pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.audio_files import AUDIO_SUFFIXES
from schemas.errors import UnreadableInput, UnusableAudio, WrongLayout
from trainers.data.loaders.clip import Clip


def sound_files(root: Path) -> list[Path]:
    """All recordings below a folder, in the order of their names.

    Raises:
        UnreadableInput: it is not a folder, or holds no recording.
    """
    if not root.is_dir():
        raise UnreadableInput(f"{root} is not a folder: give the folder that holds the set")
    paths = sorted(
        (path for path in root.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")),
        key=lambda path: path.relative_to(root).as_posix(),
    )
    if not paths:
        raise UnreadableInput(f"{root} holds no recording ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return paths


def check_set(clips: Sequence[Clip], root: Path, sample_rate: int | None = None) -> list[Clip]:
    """Checks a set.

    Args:
        clips: all clips of the set.
        root: the set's folder, for messages.
        sample_rate: Hz required by the layout; None: the rate of most clips.

    Returns:
        The clips.

    Raises:
        WrongLayout: there is only one clip, or no normal one.
        UnusableAudio: a clip has another rate than the set.
    """
    if len(clips) < 2:
        raise WrongLayout(f"{root} holds one recording only: none would be left for the test; add more")
    if not any(clip.label == "normal" for clip in clips):
        raise WrongLayout(
            f"{root} holds {len(clips)} recordings, none of them normal: models are trained on normal sound; add some"
        )
    rates = [clip.sample_rate for clip in clips]
    expected = max(set(rates), key=lambda rate: (rates.count(rate), rate)) if sample_rate is None else sample_rate
    for clip in clips:
        if clip.sample_rate != expected:
            raise UnusableAudio(
                f"{clip.path} has {clip.sample_rate} Hz, the set has {expected}: their features would not be"
                " comparable; convert it or remove it"
            )
    return list(clips)
