"""Splits by take: clips cut from one recording never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.errors import SettingsError, WrongLayout
from trainers.data.loaders.clip import Clip


def split_by_group(clips: Sequence[Clip], shares: Sequence[float], seed: int) -> list[list[Clip]]:
    """Clips in parts of about the given shares, whole groups each.

    Where there are fewer groups than parts, as with one long take in numbered cuts, the parts are stretches of it, one
    after the other: neighbours in time stand on both sides at their borders only.

    Args:
        clips: to split; their order within a part stays.
        shares: of clips, in (0, 1], that sum to 1; of parts in the order given.
        seed: of the order in which groups are dealt.

    Returns:
        One list a share; none of them empty.

    Raises:
        SettingsError: the shares do not sum to 1.
        WrongLayout: there are fewer clips than parts.
    """
    if not np.isclose(sum(shares), 1.0) or min(shares) <= 0.0:
        raise SettingsError(f"shares {list(shares)} are not above 0 with a sum of 1")
    if len(clips) < len(shares):
        where = f"{clips[0].path} and what belongs to it" if clips else "the set"
        raise WrongLayout(
            f"{where}: {len(clips)} clips cannot be split into {len(shares)} parts, to learn from and to measure with:"
            " add recordings"
        )
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(clip.group, []).append(index)
    if len(groups) < len(shares):
        return _stretches(clips, shares)
    names = list(groups)
    parts: list[list[int]] = [[] for _ in shares]
    for place in np.random.default_rng(seed).permutation(len(groups)).tolist():
        # To the part that lacks most of what it should have; empty ones come first, so that none stays so.
        lacking = [(not part, share * len(clips) - len(part)) for part, share in zip(parts, shares, strict=True)]
        parts[lacking.index(max(lacking))] += groups[names[place]]
    return [[clips[index] for index in sorted(part)] for part in parts]


def _stretches(clips: Sequence[Clip], shares: Sequence[float]) -> list[list[Clip]]:
    ends = np.round(np.cumsum(shares) * len(clips)).astype(int)
    for place in range(len(shares)):
        # One clip at least, and one left for each part to come.
        lowest = (ends[place - 1] if place else 0) + 1
        ends[place] = min(max(ends[place], lowest), len(clips) - (len(shares) - 1 - place))
    return [list(part) for part in np.split(np.array(clips, dtype=object), ends[:-1])]
