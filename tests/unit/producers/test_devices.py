"""Device ids, and the assignment of files to devices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from producers.devices import device_name, device_names, expand, playback_jobs, probe_all
from producers.sources.file import AudioFile
from schemas.errors import NotAudio, SettingsError, UnreadableInput
from schemas.identity import is_name


def wav(path: Path, rate: int = 8_000, n: int = 800) -> Path:
    soundfile.write(path, np.zeros(n), rate)
    return path


@given(st.lists(st.text(max_size=120), max_size=8))
def test_any_names_become_unique_device_ids(texts: list[str]) -> None:
    names = device_names(texts)
    assert all(is_name(name) for name in names)
    assert len(set(names)) == len(texts)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fan-1", "fan-1"),
        ("Küche 2 (neu)", "Kuche-2-neu"),
        ("../etc/passwd", "etc-passwd"),
        ("騒音", "device"),
        ("fault_OR@3_7", "fault_OR-3_7"),
        ("x" * 200, "x" * 90),
    ],
)
def test_a_name_stays_unchanged_if_possible(text: str, name: str) -> None:
    assert device_name(text) == name


def test_a_given_name_does_not_collide_with_a_numbered_one() -> None:
    assert device_names(["a", "a", "a-2"]) == ["a", "a-2", "a-2-2"]


def test_a_folder_expands_to_its_audio_files_sorted_by_name(tmp_path: Path) -> None:
    (tmp_path / "sub.wav").mkdir()
    (tmp_path / "notes.txt").write_text("no sound")
    files = [wav(tmp_path / name) for name in ("b.wav", "a.WAV", "c.flac")]
    other = tmp_path / "elsewhere.raw"

    assert expand([tmp_path, other]) == [files[1], files[0], files[2], other]


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(NotAudio, match="no audio file"):
        expand([tmp_path])


def test_each_file_is_a_device_unless_a_device_is_given(tmp_path: Path) -> None:
    sources = [AudioFile.probe(wav(tmp_path / "a.wav")), AudioFile.probe(wav(tmp_path / "b.wav", 16_000))]

    jobs = playback_jobs(sources, kind="room")
    assert [(job.device.device_id, job.device.sample_rate) for job in jobs] == [("a", 8_000), ("b", 16_000)]

    (one,) = playback_jobs(sources, kind="machine", device_id="fan", passes=3)
    assert (one.device.device_id, one.device.kind, one.device.sample_rate) == ("fan", "machine", None)
    assert one.sources == tuple(sources)
    assert one.length_ns == 3 * (100_000_000 + 50_000_000)


@pytest.mark.parametrize("device_id", ["", "a b", "ä", "x" * 101])
def test_an_invalid_device_id_is_refused(tmp_path: Path, device_id: str) -> None:
    source = AudioFile.probe(wav(tmp_path / "a.wav"))
    with pytest.raises(SettingsError, match="device id"):
        playback_jobs([source], kind="room", device_id=device_id)


@pytest.mark.parametrize("passes", [0, -1])
def test_fewer_than_one_pass_is_refused(tmp_path: Path, passes: int) -> None:
    with pytest.raises(SettingsError, match="--loop"):
        playback_jobs([AudioFile.probe(wav(tmp_path / "a.wav"))], kind="room", passes=passes)


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    good = wav(tmp_path / "good.wav")
    sources, failures = probe_all([tmp_path / "bad.wav", good, tmp_path / "gone.wav"], AudioFile.probe)

    assert [source.path for source in sources] == [good]
    assert ["bad.wav" in failures[0], "gone.wav" in failures[1], len(failures)] == [True, True, 2]


def test_only_bad_files_are_refused_with_the_first_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="first"):
        probe_all([tmp_path / "first.wav", tmp_path / "second.wav"], AudioFile.probe)
