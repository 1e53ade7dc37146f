"""Detects the layout of a data set and loads its clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsError, WrongLayout
from trainers.data.loaders.clip import Clip
from trainers.data.loaders.dcase import is_dcase, load_dcase
from trainers.data.loaders.finding import sound_files
from trainers.data.loaders.folders import is_labelled, load_folders
from trainers.data.loaders.leak import is_leak, load_leak
from trainers.data.loaders.mimii import is_mimii, load_mimii

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of data sets.

    Attributes:
        fits: whether a path belongs to the layout.
        load: reads all clips of a folder.
    """

    fits: Callable[[Path], bool]
    load: Callable[[Path], list[Clip]]


LAYOUTS = {
    "mimii": Layout(is_mimii, load_mimii),
    "dcase": Layout(is_dcase, load_dcase),
    "leak": Layout(is_leak, load_leak),
    "folders": Layout(is_labelled, load_folders),
}
"""By name, in the order in which ``auto`` tries them on a folder's first file."""


def load_clips(root: Path, layout: str = AUTO) -> list[Clip]:
    """The clips of a folder, in order.

    Args:
        root: the set's folder.
        layout: one of :data:`LAYOUTS`, or ``auto``: the first that fits the folder's first file.

    Raises:
        SettingsError: the layout is unknown.
        InputError: see the layout's loader.
        WrongLayout: no layout fits.
    """
    if layout == AUTO:
        return LAYOUTS[_layout_of(root)].load(root)
    if layout not in LAYOUTS:
        raise SettingsError(f"unknown layout {layout!r}; known layouts: {AUTO}, {', '.join(LAYOUTS)}")
    return LAYOUTS[layout].load(root)


def _layout_of(root: Path) -> str:
    first = sound_files(root)[0]
    for name, layout in LAYOUTS.items():
        if layout.fits(first):
            return name
    raise WrongLayout(
        f"{first}: its path fits none of the layouts {', '.join(LAYOUTS)}: sort the set into folders normal and"
        " abnormal"
    )
