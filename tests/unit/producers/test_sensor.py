"""Sensor files: npz and CSV, their rate, unit and scale."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from producers.sources.sensor import SensorOptions, SensorRecording, on_one_scale, read_sensor
from producers.sources.table import MAX_BYTES
from schemas.errors import EmptyAudio, InputError, NotAudio, SettingsError, UnreadableInput
from tests.unit.schemas.test_npz import claiming

RATED = SensorOptions(sample_rate=2_000)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def csv(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def samples(recording: SensorRecording) -> np.ndarray:
    return np.concatenate([block.samples for block in recording.blocks()])


def test_acceleration_is_scaled_to_the_power_of_two_above_its_peak(tmp_path: Path) -> None:
    values = np.array([0.0, 1.5, -3.0, 2.0], dtype=np.float32)
    recording = read_sensor(npz(tmp_path / "a.npz", acceleration_g=values, sample_rate_hz=12_000), SensorOptions())

    assert (recording.sample_rate, recording.unit, recording.full_scale, recording.channels) == (12_000, "g", 4.0, 1)
    assert samples(recording)[:, 0].tolist() == [0, 12_288, -24_576, 16_384]


def test_options_override_the_file(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", acceleration_g=np.array([1.0, 3.0]), other=np.array([4.0]), sample_rate_hz=12_000)
    options = SensorOptions(column="acceleration_g", sample_rate=6_000, unit="m/s2", full_scale=2.0)
    recording = read_sensor(path, options)

    assert (recording.sample_rate, recording.unit, recording.full_scale) == (6_000, "m/s2", 2.0)
    (block,) = recording.blocks()
    assert (block.samples[:, 0].tolist(), block.clipped) == ([16_384, 32_767], 1)


def test_columns_of_an_array_are_channels(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.int32).reshape(4, 3)
    recording = read_sensor(npz(tmp_path / "a.npz", xyz=values), RATED)
    assert (recording.channels, recording.full_scale, recording.unit) == (3, 16.0, "unitless")
    assert samples(recording).tolist() == (values * 2048).tolist()


def test_one_device_has_one_scale(tmp_path: Path) -> None:
    quiet = read_sensor(npz(tmp_path / "a.npz", x=np.array([0.3])), RATED)
    loud = read_sensor(npz(tmp_path / "b.npz", x=np.array([5.0])), RATED)
    assert [recording.full_scale for recording in on_one_scale([quiet, loud])] == [8.0, 8.0]


@pytest.mark.parametrize(
    ("text", "options", "values", "rate"),
    [
        ("1\n2\n3\n", RATED, [1, 2, 3], 2_000),
        ("x\n1\n2\n", RATED, [1, 2], 2_000),
        ("time,x\n0.000,1\n0.001,2\n0.002,4\n", SensorOptions(), [1, 2, 4], 1_000),
        ("\ufeffTime (s);x\n5.0000;1\n5.0005;2\n", SensorOptions(), [1, 2], 2_000),
        ("x\ty\n1\t5\n2\t6\n", SensorOptions(column="y", sample_rate=2_000), [5, 6], 2_000),
        ("1 5\n2 6\n", SensorOptions(column="2", sample_rate=2_000), [5, 6], 2_000),
        ('"t","a, b"\n0,1\n0.5,2\n', SensorOptions(column="a, b", sample_rate=2_000), [1, 2], 2_000),
        ("time,x\n0,1\n1,2\n9,3\n", SensorOptions(sample_rate=4_000), [1, 2, 3], 4_000),
        ("x\r\n-1e-3\r\n+.5\r\n", RATED, [-0.001, 0.5], 2_000),
    ],
)
def test_csv_dialects(tmp_path: Path, text: str, options: SensorOptions, values: list[float], rate: int) -> None:
    recording = read_sensor(csv(tmp_path / "a.csv", text), options)
    assert recording.values[:, 0].tolist() == values
    assert recording.sample_rate == rate


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("", RATED, EmptyAudio, "is empty"),
        ("\n1\n2\n", RATED, EmptyAudio, "begin it with"),
        ("x\n", RATED, EmptyAudio, "no rows"),
        ("x\n1\nzwei\n", RATED, NotAudio, "zwei"),
        ("x;y\n0,5;1\n", RATED, NotAudio, "0,5"),
        ("x,y\n1,2\n3\n", RATED, NotAudio, "table of numbers"),
        ("x\n1,2\n", RATED, NotAudio, "table of numbers"),
        ("x,y\n1,2\n", RATED, InputError, "'x', 'y'.*--column"),
        ("x\n1\n", SensorOptions(column="z", sample_rate=2_000), InputError, "no column 'z'.*'x'"),
        ("1 2\n", SensorOptions(column="3", sample_rate=2_000), InputError, "no column '3'"),
        ("1\n2\n", SensorOptions(), InputError, "--rate"),
        ("time,x\n0,1\n0.001,2\n0.005,3\n", SensorOptions(), InputError, "steps by"),
        ("time,x\n1,1\n0,2\n", SensorOptions(), InputError, "--rate"),
        ("time,x\n0,1\nnan,2\n", SensorOptions(), InputError, "--rate"),
        ("time,x\n0,1\n1,2\n", SensorOptions(), InputError, "1 Hz"),
        ("x\n1\ninf\n", RATED, EmptyAudio, "row 1 of 'x' is inf"),
        ("x\n1\nnan\n", RATED, EmptyAudio, "row 1 of 'x' is nan"),
        ("1\n", SensorOptions(sample_rate=100), InputError, "100 Hz"),
        ("1\n", SensorOptions(sample_rate=2_000, full_scale=0.0), SettingsError, "--full-scale"),
        ("1\n", SensorOptions(sample_rate=2_000, full_scale=float("nan")), SettingsError, "--full-scale"),
        ("1\n", SensorOptions(sample_rate=2_000, unit="u" * 33), SettingsError, "--unit"),
    ],
)
def test_bad_tables_are_refused(
    tmp_path: Path, text: str, options: SensorOptions, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_sensor(csv(tmp_path / "a.csv", text), options)


@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ({"a": np.zeros(3), "b": np.zeros(3)}, InputError, "'a', 'b'.*--column"),
        ({"a": np.zeros(0)}, EmptyAudio, "no samples"),
        ({"a": np.zeros((2, 2, 2))}, NotAudio, "shape"),
        ({"a": np.array(["x"])}, NotAudio, "<U1"),
        ({"a": np.zeros(3, dtype=complex)}, NotAudio, "complex"),
        ({"a": np.zeros(3), "sample_rate_hz": np.array(0.5)}, NotAudio, "whole number of Hz"),
        ({"a": np.zeros(3), "sample_rate_hz": np.array([1, 2])}, NotAudio, "whole number of Hz"),
        ({"a": np.zeros(3), "sample_rate_hz": np.array(500)}, InputError, "500 Hz"),
        ({"a": np.zeros((3, 9)), "sample_rate_hz": np.array(2_000)}, InputError, "9 channels"),
        ({"sample_rate_hz": np.array(2_000)}, InputError, "no column"),
    ],
)
def test_bad_archives_are_refused(tmp_path: Path, arrays: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_sensor(npz(tmp_path / "a.npz", **arrays), SensorOptions())


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", a=np.array([{"danger": 1}], dtype=object))
    with pytest.raises(NotAudio, match="plain arrays"):
        read_sensor(path, RATED)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.csv.gz"])
def test_bytes_that_are_neither_csv_nor_npz(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b\xff\xfe\x00" * 100)
    with pytest.raises(NotAudio):
        read_sensor(tmp_path / name, RATED)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="No such file"):
        read_sensor(tmp_path / "a.csv", RATED)
    with pytest.raises(UnreadableInput, match="folder"):
        read_sensor(tmp_path, RATED)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(InputError, match="split it"):
        read_sensor(tmp_path / "a.csv", RATED)


def test_a_small_archive_of_a_large_array_is_not_unpacked(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", a=np.zeros(MAX_BYTES // 8 + 1))
    assert path.stat().st_size < MAX_BYTES // 100
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="split it"):
            read_sensor(path, RATED)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES // 20
    finally:
        tracemalloc.stop()


def test_silence_can_be_sent(tmp_path: Path) -> None:
    recording = read_sensor(npz(tmp_path / "a.npz", a=np.zeros(5)), RATED)
    assert recording.full_scale == 1.0
    assert not samples(recording).any()


def test_an_archive_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    path = claiming(tmp_path / "a.npz", "(1000000000000,)")

    with pytest.raises(NotAudio, match=r"8000000000000 bytes"):
        read_sensor(path, RATED)
