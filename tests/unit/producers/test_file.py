"""Audio files: every format is read correctly, every kind of bad file has its own error."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from producers.pcm import Block
from producers.sources.file import AudioFile
from schemas.errors import EmptyAudio, InputError, NotAudio, UnreadableInput


def tone(rate: int, seconds: float = 0.5, channels: int = 1) -> np.ndarray:
    t = np.arange(int(rate * seconds))[:, None] / rate
    return 0.5 * np.sin(2 * np.pi * 100 * (1 + np.arange(channels)) * t)


def read(path: Path) -> np.ndarray:
    return np.concatenate([block.samples for block in AudioFile.probe(path).blocks()])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"])
@pytest.mark.parametrize(("rate", "channels"), [(1_000, 1), (44_100, 2), (192_000, 8)])
def test_wav_of_any_format(tmp_path: Path, subtype: str, rate: int, channels: int) -> None:
    path = tmp_path / "a.wav"
    sound = tone(rate, channels=channels)
    soundfile.write(path, sound, rate, subtype=subtype)

    probed = AudioFile.probe(path)
    assert (probed.sample_rate, probed.channels, probed.n_samples) == (rate, channels, len(sound))
    steps = 256 if subtype == "PCM_U8" else 1
    assert np.abs(read(path) - sound * 32_768).max() <= steps


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_sixteen_bits_are_unchanged(tmp_path: Path, name: str) -> None:
    samples = np.random.default_rng(3).integers(-32_768, 32_768, (100_000, 2)).astype(np.int16)
    soundfile.write(tmp_path / name, samples, 48_000, subtype="PCM_16")
    assert np.array_equal(read(tmp_path / name), samples)


@pytest.mark.parametrize("name", ["a.ogg", "a.mp3"])
def test_lossy_files_keep_their_tone(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(16_000, 2.0), 16_000)
    samples = read(tmp_path / name)[:, 0]

    assert abs(len(samples) - 32_000) < 2_000
    spectrum = np.abs(np.fft.rfft(samples[8_000:24_000]))
    assert np.argmax(spectrum) == 100


def test_float_values_beyond_full_scale_are_clipped_and_counted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 1.5, -1.5, 1.0]), 8_000, subtype="FLOAT")
    (block,) = AudioFile.probe(tmp_path / "a.wav").blocks()
    assert block.samples[:, 0].tolist() == [0, 32_767, -32_768, 32_767]
    assert block.clipped == 2


def test_a_long_file_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as sound:
        for _ in range(60):
            sound.write(np.ones(16_000 * 60, dtype=np.int16))
    tracemalloc.start()
    try:
        total = sum(len(block.samples) for block in AudioFile.probe(path).blocks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 16_000 * 3_600
    assert peak < 2 * 1024 * 1024


def test_a_nan_is_refused_with_its_position(tmp_path: Path) -> None:
    sound = np.zeros(100_000)
    sound[70_001] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, 8_000, subtype="FLOAT")
    with pytest.raises(EmptyAudio, match=r"a\.wav: sample 70001 of channel 0 is nan"):
        read(tmp_path / "a.wav")


def test_a_file_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8_000)
    with pytest.raises(EmptyAudio, match="no samples"):
        AudioFile.probe(tmp_path / "a.wav")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(EmptyAudio, match=r"a\.wav is empty"):
        AudioFile.probe(tmp_path / "a.wav")


@pytest.mark.parametrize("content", [b"hello", b"RIFF\0\0\0\0WAVE", bytes(5_000)])
def test_a_file_that_is_not_audio(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(NotAudio, match=r"a\.wav cannot be decoded \(.*\): remove it or convert it to WAV or FLAC"):
        AudioFile.probe(tmp_path / "a.wav")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="No such file or directory: check its name"):
        AudioFile.probe(tmp_path / "a.wav")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="directory"):
        AudioFile.probe(tmp_path)


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # permissions do not bind every user who runs the tests
    with pytest.raises(UnreadableInput, match="Permission denied: give yourself permission"):
        AudioFile.probe(tmp_path / "a.wav")


@pytest.mark.parametrize(("rate", "channels"), [(800, 1), (384_000, 1), (8_000, 9)])
def test_an_unsupported_rate_or_channel_count(tmp_path: Path, rate: int, channels: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((100, channels)), rate)
    with pytest.raises(InputError, match=r"a\.wav: "):
        AudioFile.probe(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.flac", "a.ogg"])
def test_a_damaged_file_is_read_up_to_the_damage_and_then_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, 400_000), 16_000)
    content = path.read_bytes()
    probed = AudioFile.probe(path)
    path.write_bytes(content[: len(content) // 2])

    blocks: list[Block] = []
    with pytest.raises(NotAudio, match=name):
        blocks.extend(probed.blocks())
    assert sum(len(block.samples) for block in blocks) > 100_000


def test_a_file_that_is_deleted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8_000)
    probed = AudioFile.probe(tmp_path / "a.wav")
    (tmp_path / "a.wav").unlink()
    with pytest.raises(UnreadableInput):
        list(probed.blocks())
