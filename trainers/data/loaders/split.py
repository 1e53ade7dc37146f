"""Splits by group: clips of one source recording are never divided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.errors import SettingsError, WrongLayout
from trainers.data.loaders.clip import Clip


def split_by_group(clips: Sequence[Clip], shares: Sequence[float], seed: int) -> list[list[Clip]]:
    """Splits clips into parts of about the given shares, keeping groups together.

    With fewer groups than parts, such as numbered cuts of one long recording, the parts are contiguous in time, so that
    only clips at the borders have neighbours in another part.

    Args:
        clips: to split; they keep their order within a part.
        shares: of clips, in (0, 1], one per part; they sum to 1.
        seed: of the order in which groups are assigned.

    Returns:
        One list per share; none is empty.

    Raises:
        SettingsError: the shares do not sum to 1.
        WrongLayout: there are fewer clips than parts.
    """
    if not np.isclose(sum(shares), 1.0) or min(shares) <= 0.0:
        raise SettingsError(f"shares {list(shares)} are not above 0 with a sum of 1")
    if len(clips) < len(shares):
        where = f"{clips[0].path} and its set" if clips else "the set"
        raise WrongLayout(
            f"{where}: {len(clips)} clips cannot be split into {len(shares)} parts for training and test:"
            " add recordings"
        )
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(clip.group, []).append(index)
    if len(groups) < len(shares):
        return _contiguous(clips, shares)
    names = list(groups)
    parts: list[list[int]] = [[] for _ in shares]
    for index in np.random.default_rng(seed).permutation(len(groups)).tolist():
        # To the part with the largest deficit; empty parts come first, so that none stays empty.
        lacking = [(not part, share * len(clips) - len(part)) for part, share in zip(parts, shares, strict=True)]
        parts[lacking.index(max(lacking))] += groups[names[index]]
    return [[clips[index] for index in sorted(part)] for part in parts]


def _contiguous(clips: Sequence[Clip], shares: Sequence[float]) -> list[list[Clip]]:
    ends = np.round(np.cumsum(shares) * len(clips)).astype(int)
    for part in range(len(shares)):
        # At least one clip, and one left for each later part.
        lowest = (ends[part - 1] if part else 0) + 1
        ends[part] = min(max(ends[part], lowest), len(clips) - (len(shares) - 1 - part))
    return [list(part) for part in np.split(np.array(clips, dtype=object), ends[:-1])]
