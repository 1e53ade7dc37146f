"""Extraction of windows from the chunks of many devices, with one batched transform per front end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from processors.core.audio.frame_stream import FrameStream
from processors.core.audio.transform import transform_of
from processors.core.windowing.segment import Segment
from processors.core.windowing.window import Window
from schemas.chunk import Chunk

Float32 = npt.NDArray[np.float32]


class Extractor:
    """Turns chunks into windows; caches one transform per front end. Thread-compatible: one call at a time."""

    def __init__(self) -> None:
        self._transforms: dict[str, Callable[[Float32], Float32]] = {}

    def extract(self, arrivals: Iterable[tuple[Segment, Chunk, int]]) -> list[Window]:
        """The windows that the chunks complete.

        Args:
            arrivals: segment, its next chunk, and the chunk's offset; in order within each segment.

        Returns:
            The windows, in order of their ends within each device and session.
        """
        pending: dict[str, list[tuple[FrameStream, Float32]]] = {}
        segments: dict[int, Segment] = {}
        for segment, chunk, offset in arrivals:
            segments[id(segment)] = segment
            for front_end, stream, frames in segment.push(chunk, offset):
                if len(frames):
                    if front_end not in self._transforms:
                        self._transforms[front_end] = transform_of(stream.spec)
                    pending.setdefault(front_end, []).append((stream, frames))
        for front_end, jobs in pending.items():
            self._transform(self._transforms[front_end], jobs)
        return [window for segment in segments.values() for window in segment.take_windows()]

    @staticmethod
    def _transform(transform: Callable[[Float32], Float32], jobs: list[tuple[FrameStream, Float32]]) -> None:
        frames = np.concatenate([frames for _, frames in jobs])
        transformed = transform(frames)
        power = np.einsum("nt,nt->n", frames, frames) / np.float32(frames.shape[1])
        start = 0
        for stream, part in jobs:
            rows = slice(start, start + len(part))
            stream.add(transformed[rows], power[rows])
            start += len(part)
