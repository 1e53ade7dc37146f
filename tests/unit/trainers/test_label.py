"""The labelling aid finds active segments and proposes labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from schemas.errors import SettingsError
from schemas.features import FeatureSpec
from schemas.manifest import Calibration
from trainers.data.audacity import read_labels
from trainers.data.recordings import Recording
from trainers.labelling.segments import active_spans, label_folder, segments_of, summary

SPEC = FeatureSpec(n_frames=48, window_hop=12)
RATE = 16_000


class HighBandScorer:
    """Its score is the level above 2 kHz over that below, dB; above 0 is a scream."""

    spec = SPEC
    calibration = Calibration(transfer="absolute", threshold=0.0, spread=3.0, n=1, quantiles={})

    def score(self, features: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], None]:
        power = np.power(10.0, features / 10.0).mean(axis=1)
        ratio = 10.0 * np.log10(power[:, 32:].sum(axis=1) / power[:, :32].sum(axis=1))
        return ratio.astype(np.float32), None


def tones(*parts: tuple[float, float, float, float]) -> npt.NDArray[np.float32]:
    """``parts``: start, end, Hz, amplitude; six seconds over a faint hiss."""
    t = np.arange(6 * RATE) / RATE
    sound = 1e-4 * np.random.default_rng(1).standard_normal(len(t))
    for start, end, hz, amplitude in parts:
        sound += amplitude * np.sin(2 * np.pi * hz * t) * ((t >= start) & (t < end))
    return sound.astype(np.float32)


def recording(samples: npt.NDArray[np.floating]) -> Recording:
    return Recording("a/clip.wav", "a", "a/clip", samples, RATE, "0", RATE, 0.0)


def test_segments_cover_the_sounds_and_have_proposed_labels() -> None:
    sound = tones((1.0, 1.8, 4_000, 0.3), (3.5, 4.5, 300, 0.3))
    high, low = segments_of(recording(sound), HighBandScorer(), "scream")
    assert (high.start_s, high.end_s, low.start_s, low.end_s) == pytest.approx((1.0, 1.8, 3.5, 4.5), abs=0.06)
    assert (high.text, low.text) == ("scream", "other")
    assert high.score > 10.0 > -10.0 > low.score


def test_uncertain_labels_are_marked() -> None:
    # High bands are wider: the same power in one of them takes twice the amplitude.
    sound = tones((1.0, 2.0, 4_000, 0.6), (1.0, 2.0, 300, 0.3))
    (both,) = segments_of(recording(sound), HighBandScorer(), "scream")
    assert both.text.startswith("? ")
    assert abs(both.score) < 3.0


def test_a_sound_at_the_edge_and_one_shorter_than_a_window_are_found() -> None:
    short = tones((0.0, 0.4, 4_000, 0.3))[: int(0.4 * RATE)]
    (one,) = segments_of(recording(short), HighBandScorer(), "scream")
    assert (one.start_s, one.end_s, one.text) == (0.0, pytest.approx(0.4, abs=0.06), "scream")


def test_short_pauses_are_bridged_and_clicks_dropped() -> None:
    frames = np.full((200, 4), -80.0, np.float32)
    frames[20:40] = frames[50:70] = frames[120:160] = 0.0
    frames[190:192] = 0.0
    assert active_spans(frames, 0.02) == [(20, 70), (120, 160)]
    assert active_spans(frames[:0], 0.02) == []


def test_steady_sound_is_one_span() -> None:
    frames = np.random.default_rng(0).normal(-20.0, 1.0, (100, 8)).astype(np.float32)
    assert active_spans(frames, 0.02) == [(0, 100)]


def test_a_folder_gives_label_files_in_its_layout_and_sheets(tmp_path: Path) -> None:
    (tmp_path / "in" / "hall").mkdir(parents=True)
    soundfile.write(tmp_path / "in" / "hall" / "a.flac", tones((1.0, 2.0, 4_000, 0.3)), RATE)
    soundfile.write(tmp_path / "in" / "b.wav", np.zeros(RATE, np.float32), RATE)
    many = tones(*((0.1 + 0.6 * k, 0.35 + 0.6 * k, 300, 0.3) for k in range(9)))
    soundfile.write(tmp_path / "in" / "c.wav", np.tile(many, 3), RATE)
    segments = label_folder(tmp_path / "in", HighBandScorer(), "scream", tmp_path / "out")
    assert [label.text for label in read_labels(tmp_path / "out" / "hall" / "a.txt")] == ["scream"]
    assert len(read_labels(tmp_path / "out" / "c.txt")) == 27
    assert summary(segments)["scream"] == 1
    sheets = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert sheets == ["sheet-001.png", "sheet-002.png"]
    assert (tmp_path / "out" / "sheet-001.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_of_other_features_is_rejected(tmp_path: Path) -> None:
    class WaveformScorer(HighBandScorer):
        spec = FeatureSpec(
            transform="waveform", n_fft=1_024, win_length=1_024, hop=1_024, level="none", n_frames=4, window_hop=4
        )

    with pytest.raises(SettingsError, match="waveform"):
        label_folder(tmp_path, WaveformScorer(), "scream", tmp_path / "out")
