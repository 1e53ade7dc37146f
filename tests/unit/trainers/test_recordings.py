"""Reading folders, and recognising cuts of one source recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from schemas.errors import EmptyAudio, NotAudio, UnreadableInput
from trainers.data.recordings import read_folder, source_of

RATE = 16_000


def test_a_folder_is_read_in_order_at_one_rate(recordings: Path) -> None:
    read = read_folder(recordings, ("scream", "sounds", "absent"), RATE)
    assert [one.name for one in read] == sorted(one.name for one in read)
    assert {one.kind for one in read} == {"positive", "negative", "dog-bark"}
    assert len(read) == 12
    assert len({one.digest for one in read}) == 12


def test_only_the_given_folders_are_read(recordings: Path) -> None:
    assert {one.kind for one in read_folder(recordings, ("sounds",), RATE)} == {"dog-bark"}


def test_channels_are_averaged_and_the_rate_is_changed(tmp_path: Path) -> None:
    t = np.arange(44_100) / 44_100
    left = 0.5 * np.sin(2 * np.pi * 500 * t)
    soundfile.write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), 44_100)
    (one,) = read_folder(tmp_path, (), RATE)
    assert one.samples.dtype == np.float32
    assert len(one.samples) == pytest.approx(RATE, abs=80)
    assert one.samples[2_000:14_000].std() == pytest.approx(0.25 / np.sqrt(2), rel=0.02)


def test_an_odd_rate_is_replaced_by_the_nearest_supported_one(tmp_path: Path) -> None:
    t = np.arange(2 * 11_127) / 11_127
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 500 * t), 11_127)
    (one,) = read_folder(tmp_path, (), RATE)
    assert len(one.samples) == pytest.approx(2 * RATE, abs=80)
    spectrum = np.abs(np.fft.rfft(one.samples[:RATE] * np.hanning(RATE)))
    assert int(spectrum.argmax()) == pytest.approx(500, abs=1)


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="nowhere"):
        read_folder(tmp_path / "nowhere", (), RATE)
    with pytest.raises(UnreadableInput, match=r"\.flac"):
        read_folder(tmp_path, (), RATE)
    (tmp_path / "broken.wav").write_bytes(b"this is not sound")
    with pytest.raises(NotAudio, match=r"broken\.wav"):
        read_folder(tmp_path, (), RATE)
    (tmp_path / "broken.wav").unlink()
    soundfile.write(tmp_path / "silent.wav", np.empty(0, dtype=np.float32), RATE)
    with pytest.raises(EmptyAudio, match=r"silent\.wav"):
        read_folder(tmp_path, (), RATE)


@pytest.mark.parametrize(
    ("kind", "one", "other", "same"),
    [
        ("positive", "damm_0", "damm_7", True),
        ("positive", "femaleScream-002", "femaleScream-004", False),
        ("dog-bark", "1-100032-A", "1-100032-B", True),
        ("dog-bark", "1-100032-A", "1-110389-A", False),
        (
            "infant-cry",
            "177dc72e-d0f8-47ef-a5a7-3b46878e11a0-1430736358754-1.7-f-26-hu",
            "177DC72E-D0F8-47EF-A5A7-3B46878E11A0-1430736549614-1.7-f-26-hu",
            True,
        ),
        ("ambience", "room_20221027-000004", "room_20221027-000227", True),
        ("ambience", "room_20221027-000004", "room_20221027-004227", False),
    ],
)
def test_cuts_of_one_recording_share_their_source(kind: str, one: str, other: str, same: bool) -> None:
    assert (source_of(kind, one) == source_of(kind, other)) is same


def test_equal_names_in_two_folders_are_two_sources() -> None:
    assert source_of("positive", "take_1") != source_of("negative", "take_1")
