"""Recordings shorter than a window are scored, as in a stream that goes on at their floor, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.adapters.models.onnx_model import load_shipped
from producers.sources.file import AudioFile
from synthesis.scream import scream
from tocsin.cli.commands.score import score
from tocsin.noise_floor import floor_noise
from tocsin.scoring import FileScorer

RATE = 16_000
ROOM = 0.01
MODEL = load_shipped("scream")
THRESHOLD = MODEL.manifest.calibration.threshold


def takes(seconds: float, lead_s: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ten screams of a length, some after a moment of the room: as cut out, and within the room's sound."""
    made = []
    for seed in range(10):
        cry = 0.5 * scream(seed, seconds)[: int(seconds * RATE)]
        sound = ROOM * np.random.default_rng(seed).standard_normal(2 * RATE)
        start = int(lead_s * RATE)
        sound[start : start + len(cry)] += cry
        made.append((sound[: start + len(cry)], sound))
    return made


def first_score(path: Path, sound: np.ndarray, rate: int = RATE) -> float:
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return next(FileScorer(MODEL).score(AudioFile.probe(path))).score.score


def pcm(sound: np.ndarray) -> np.ndarray:
    return np.rint(sound * 32_768).astype(np.int16).reshape(len(sound), -1)


@pytest.mark.parametrize("seconds", [0.9, 0.5])
def test_a_short_scream_is_found_and_scores_as_it_would_in_a_room(seconds: float, tmp_path: Path) -> None:
    found = [
        (first_score(tmp_path / "cut.wav", cut), first_score(tmp_path / "whole.wav", whole))
        for cut, whole in takes(seconds)
    ]

    alone, in_the_room = np.array(found).T
    assert np.mean(alone > THRESHOLD) >= 0.9
    assert np.median(np.abs(alone - in_the_room)) < 0.5


def test_a_clap_of_a_voice_does_not_become_a_scream(tmp_path: Path) -> None:
    alone = np.array([first_score(tmp_path / "cut.wav", cut) for cut, _ in takes(0.15)])

    assert np.mean(alone > THRESHOLD) <= 0.1


def test_the_room_before_a_scream_is_what_follows_it(tmp_path: Path) -> None:
    found = [
        (first_score(tmp_path / "cut.wav", cut), first_score(tmp_path / "whole.wav", whole))
        for cut, whole in takes(0.6, lead_s=0.2)
    ]

    alone, in_the_room = np.array(found).T
    assert np.median(np.abs(alone - in_the_room)) < 0.2


def test_noise_alone_is_no_scream(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for seconds in (0.1, 0.5, 0.9):
        assert first_score(tmp_path / "noise.wav", 0.05 * rng.standard_normal(int(seconds * RATE))) < THRESHOLD - 2.0


def test_it_is_said_and_only_then(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cut, whole), *_ = takes(0.9)
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    soundfile.write(short, np.repeat(cut[:, None], 2, axis=1), RATE, subtype="PCM_16")
    soundfile.write(long, whole, RATE, subtype="PCM_16")

    score([short, long], detector="scream", json=True)
    told = capsys.readouterr()
    score([short], detector="scream")
    plain = capsys.readouterr()

    lines = [json.loads(line) for line in told.out.splitlines()]
    of_short = [line for line in lines if line["file"] == str(short)]
    assert [(line["first_sample"], line["filled_s"], line["alarm"]) for line in of_short] == [(0, 0.104, True)]
    assert {line["filled_s"] for line in lines if line["file"] == str(long)} == {0.0}
    said = (
        f"tocsin: {short} lasts 0.90 s, less than a window of 1.00 s: the rest of 0.10 s is filled up at its own noise"
        " floor\n"
    )
    assert told.err == plain.err == said
    assert "too short" not in plain.out


def test_a_recording_of_another_rate_is_filled_up_to_one_window(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    soundfile.write(tmp_path / "a.wav", 0.05 * rng.standard_normal(30_000), 44_100, subtype="PCM_16")

    scorer, source = FileScorer(MODEL), AudioFile.probe(tmp_path / "a.wav")

    assert scorer.missing(source) > 0
    assert len(list(scorer.score(source))) == 1


@pytest.mark.parametrize("lasting", [True, False])
def test_a_floor_that_is_heard_goes_on_band_by_band(lasting: bool) -> None:
    rng = np.random.default_rng(4)
    hiss = np.diff(rng.standard_normal(RATE // 2 + 1))
    samples = pcm(np.concatenate([0.5 * np.sin(np.arange(RATE // 2) / 3.0), 0.01 * hiss]))

    made = floor_noise(samples, RATE, RATE, lasting=lasting)

    assert np.array_equal(made, floor_noise(samples, RATE, RATE, lasting=lasting))
    power, wanted = (np.abs(np.fft.rfft(one[:, 0].astype(float), 2 * RATE)) ** 2 for one in (made, pcm(0.01 * hiss)))
    for low in range(500, 8_000, 500):
        bins = slice(2 * low, 2 * low + 1_000)
        # A second of the one, half a second of the other.
        assert 10.0 * np.log10(power[bins].mean() / 2.0 / wanted[bins].mean()) == pytest.approx(0.0, abs=2.0)


def test_what_never_falls_quiet_goes_on_where_sound_lasts_and_ends_where_it_is_an_event() -> None:
    rng = np.random.default_rng(4)
    samples = pcm(0.1 * rng.standard_normal((RATE // 2, 2)) * [1.0, 0.1])

    lasting, event = (
        20.0 * np.log10(floor_noise(samples, RATE, RATE, lasting=one).std(axis=0) / samples.std(axis=0))
        for one in (True, False)
    )

    np.testing.assert_allclose(lasting, 0.0, atol=0.5)
    # 40 dB below the loudest moment of 32 ms, which lies little above the mean.
    np.testing.assert_allclose(event, -39.0, atol=1.5)


def test_digital_silence_stays_silent() -> None:
    assert not floor_noise(np.zeros((500, 1), np.int16), RATE, 1_000, lasting=False).any()
