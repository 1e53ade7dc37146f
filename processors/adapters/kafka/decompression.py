"""Decompression within a bound: a few kilobytes may claim to be gigabytes."""

from __future__ import annotations

import mmap
import struct
from contextlib import closing

import cramjam
from aiokafka.errors import CorruptRecordException

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
"""Kafka's numbers of the codecs."""

_CODECS = {GZIP: cramjam.gzip, LZ4: cramjam.lz4, ZSTD: cramjam.zstd}
# What cramjam says when the output does not fit.
_FULL = "whole buffer"
_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16
_BLOCK_LENGTH = struct.Struct(">i")


class BeyondBound(Exception):
    """The data decompress to more than the bound."""


def decompress(codec: int, data: bytes, most: int) -> bytes:
    """The decompressed data.

    Args:
        codec: Kafka's number, 1 to 4.
        data: compressed.
        most: bound on the result, bytes; no more is ever allocated for it.

    Raises:
        BeyondBound: there is more.
        CorruptRecordException: the codec cannot read the data.
    """
    # Anonymous memory: pages that nothing is written to cost nothing.
    with closing(mmap.mmap(-1, most)) as out:
        try:
            if codec == SNAPPY:
                size = _snappy(data, out, most)
            elif codec in _CODECS:
                size = _CODECS[codec].decompress_into(data, out)
            else:
                raise CorruptRecordException(f"compression {codec} is unknown; 1 to 4 are read")
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise BeyondBound(f"more than {most} bytes") from None
            raise CorruptRecordException(f"cannot be decompressed: {error}") from None
        return out[:size]


def _snappy(data: bytes, out: mmap.mmap, most: int) -> int:
    """Writes to ``out``; returns how many bytes. Every block says its size before it is decompressed."""
    if not data.startswith(_XERIAL):
        return _snappy_block(data, out, 0, most)
    at, size = _XERIAL_HEADER, 0
    while at < len(data):
        if at + _BLOCK_LENGTH.size > len(data):
            raise CorruptRecordException("snappy: half a block length")
        (length,) = _BLOCK_LENGTH.unpack_from(data, at)
        at += _BLOCK_LENGTH.size
        if not 0 < length <= len(data) - at:
            raise CorruptRecordException(f"snappy: a block of {length} bytes; {len(data) - at} follow")
        size += _snappy_block(data[at : at + length], out, size, most)
        at += length
    return size


def _snappy_block(block: bytes, out: mmap.mmap, start: int, most: int) -> int:
    size = int(cramjam.snappy.decompress_raw_len(block))
    if start + size > most:
        raise BeyondBound(f"more than {most} bytes")
    if size:
        with memoryview(out) as view, view[start : start + size] as part:
            cramjam.snappy.decompress_raw_into(block, part)
    return size
