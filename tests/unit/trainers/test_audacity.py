"""Reading and writing Audacity label files."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OutputError, UnreadableInput
from trainers.data.audacity import Label, labels_beside, read_labels, write_labels


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    labels = [Label(0.25, 1.5, "scream"), Label(2.0, 2.0, ""), Label(3.1, 4.000001, "a door, far")]
    write_labels(tmp_path / "clip.txt", labels)
    assert read_labels(tmp_path / "clip.txt") == labels


def test_decimal_commas_frequency_lines_and_unsorted_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "clip.txt"
    path.write_text("\ufeff2,5\t3,5\tspäter\r\n\\\t200.0\t900.0\r\n\r\n0.5\t1.0\tfirst\r\n", encoding="utf-8")
    assert read_labels(path) == [Label(0.5, 1.0, "first"), Label(2.5, 3.5, "später")]


@pytest.mark.parametrize("line", ["scream", "1.0\tx\tscream", "2.0\t1.0\tscream", "0\tinf\tx", "nan\t1\tx"])
def test_an_invalid_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "clip.txt"
    path.write_text(f"0.0\t1.0\tgood\n{line}\n")
    with pytest.raises(UnreadableInput, match="line 2"):
        read_labels(path)


def test_a_binary_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "clip.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UnreadableInput, match="UTF-8"):
        read_labels(tmp_path / "clip.txt")
    with pytest.raises(UnreadableInput, match="cannot be read"):
        read_labels(tmp_path / "none.txt")


def test_labels_are_next_to_the_recording(tmp_path: Path) -> None:
    assert labels_beside(tmp_path / "clip.wav") is None
    write_labels(tmp_path / "clip.txt", [Label(0.0, 1.0, "scream")])
    assert labels_beside(tmp_path / "clip.wav") == [Label(0.0, 1.0, "scream")]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "clip.txt").mkdir()
    with pytest.raises(OutputError):
        write_labels(tmp_path / "clip.txt", [])
    assert [path.name for path in tmp_path.iterdir()] == ["clip.txt"]
