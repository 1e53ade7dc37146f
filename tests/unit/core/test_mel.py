"""The log-mel engine against librosa."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from processors.core.audio.mel import LogMel, mel_filterbank
from processors.core.audio.recording import rows_of
from schemas.features import FeatureSpec

SPECS = [
    FeatureSpec(n_frames=1, window_hop=1),
    FeatureSpec(n_frames=1, window_hop=1, n_mels=40, n_fft=512, win_length=512, hop=160),
    FeatureSpec(n_frames=1, window_hop=1, n_mels=128, fmin=0, fmax=8_000),
    FeatureSpec(n_frames=1, window_hop=1, sample_rate=22_050, fmax=11_025, n_fft=2048, win_length=2048, hop=512),
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("level", [1.0, 1e-2, 1e-4])
def test_log_mel_equals_librosa(spec: FeatureSpec, level: float) -> None:
    rng = np.random.default_rng(440)
    tone = np.sin(2 * np.pi * 700 * np.arange(spec.sample_rate) / spec.sample_rate)
    sound = (level * (0.3 * tone + 0.1 * rng.standard_normal(spec.sample_rate))).astype(np.float32)

    mine = rows_of(sound, spec.sample_rate, spec)

    power = librosa.feature.melspectrogram(
        y=sound, sr=spec.sample_rate, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels,
        fmin=spec.fmin, fmax=spec.fmax, center=False,
    )  # fmt: skip
    theirs = librosa.power_to_db(power, ref=1.0, amin=spec.log_floor, top_db=None).T
    assert mine.shape == theirs.shape
    np.testing.assert_allclose(mine, theirs, atol=1e-3)


@pytest.mark.parametrize("spec", SPECS)
def test_filterbank_equals_librosa(spec: FeatureSpec) -> None:
    theirs = librosa.filters.mel(
        sr=spec.sample_rate, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin, fmax=spec.fmax
    )

    np.testing.assert_allclose(mel_filterbank(spec), theirs, atol=1e-7)


def test_silence_is_the_floor() -> None:
    spec = SPECS[0]

    silent = LogMel(spec)(np.zeros((3, spec.n_fft), np.float32))

    np.testing.assert_allclose(silent, np.full((3, spec.n_mels), -100.0), atol=1e-4)


def test_a_frame_does_not_depend_on_its_batch() -> None:
    spec = SPECS[0]
    frames = np.random.default_rng(1).normal(0, 0.1, (200, spec.n_fft)).astype(np.float32)
    engine = LogMel(spec)

    for size in (1, 2, 31, 32, 33, 150):
        parts = np.concatenate([engine(frames[start : start + size]) for start in range(0, len(frames), size)])
        # To the last bit: a window that is scored again must give the same score.
        np.testing.assert_array_equal(engine(frames), parts)
