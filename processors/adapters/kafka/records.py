"""Records whose header names are not UTF-8: Kafka accepts them, and its Python client cannot read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records, memory_records

_LENGTH = slice(8, 12)
_BEFORE_LENGTH_ENDS = 12


def read_any_header_name() -> None:
    """Makes every consumer of this process read records whose header names are not UTF-8.

    The broker accepts such records, and the client cannot read them: its consumer would never get past one. Their
    names come with each such byte written as ``\\xNN``.
    """
    fetcher.MemoryRecords = _Batches


class _Batches:
    """The client's own reader of a fetch response, batch by batch, with a fallback for what it cannot read.

    Args:
        data: the response's record batches.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._start = 0
        self._batches = memory_records.MemoryRecords(data)

    def size_in_bytes(self) -> int:
        """Of the whole response."""
        size: int = self._batches.size_in_bytes()
        return size

    def has_next(self) -> bool:
        """Whether a whole batch is left."""
        left: bool = self._batches.has_next()
        return left

    def next_batch(self) -> Any:
        """The next batch."""
        batch = self._batches.next_batch()
        start, head = self._start, self._data[self._start : self._start + _BEFORE_LENGTH_ENDS]
        self._start += _BEFORE_LENGTH_ENDS + int.from_bytes(head[_LENGTH], "big")
        return _Batch(batch, self._data[start : self._start])


class _Batch:
    """A batch; see :class:`_Batches`."""

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        done = 0
        try:
            for record in self._batch:
                yield record
                done += 1
        except (UnicodeDecodeError, CorruptRecordException):
            for number, record in enumerate(_lenient(self._data)):
                if number >= done:
                    yield record


def _lenient(data: bytes) -> Any:
    """The client's reader in Python, over bytes that decode whatever they hold."""
    batch = default_records._DefaultRecordBatchPy(data)  # noqa: SLF001
    iter(batch)  # decompresses
    batch._buffer = _Bytes(batch._buffer)  # noqa: SLF001
    return batch


class _Bytes(bytearray):
    """Bytes whose slices decode whatever they hold."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _Text(found) if isinstance(index, slice) else found


class _Text(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        return super().decode(encoding, "backslashreplace")
