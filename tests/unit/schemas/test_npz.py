"""Arrays of npz archives, bounded by what the archive holds."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from schemas.npz import array_names, read_array

MOST = 1 << 20


def claiming(path: Path, shape: str, data: bytes = b"\0" * 64, descr: str = "<f8") -> Path:
    """An archive of one array ``x`` that claims a shape."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    return path


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(7), np.zeros(0)]
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path, save: object, array: np.ndarray) -> None:
    save(tmp_path / "a.npz", x=array)  # type: ignore[operator]
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert array_names(archive) == ["x"]
        found = read_array(archive, "x", MOST)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@pytest.mark.parametrize(
    ("shape", "descr", "text"),
    [
        ("(1000000000000,)", "<f8", "at most 1048576"),
        ("(9, 1)", "<f8", "holds 64 bytes, its header claims 72"),
        ("(7,)", "<f8", "holds more, its header claims 56"),
        ("(8,)", "|O", "objects"),
    ],
)
def test_what_is_not_there_is_not_allocated(tmp_path: Path, shape: str, descr: str, text: str) -> None:
    with (
        zipfile.ZipFile(claiming(tmp_path / "a.npz", shape, descr=descr)) as archive,
        pytest.raises(ValueError, match=text),
    ):
        read_array(archive, "x", MOST)


def test_an_array_within_the_bound_that_the_archive_does_not_hold(tmp_path: Path) -> None:
    with zipfile.ZipFile(claiming(tmp_path / "a.npz", "(10000,)")) as archive, pytest.raises(ValueError, match="64"):
        read_array(archive, "x", MOST)


def test_another_version_of_the_format_is_refused() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x09\x00" + bytes(64))
    with zipfile.ZipFile(data) as archive, pytest.raises(ValueError, match="version"):
        read_array(archive, "x", MOST)
