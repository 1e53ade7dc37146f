"""Clip statistics against librosa and scipy, and as a network layer."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.stats
import torch

from trainers.features.mfcc import WIDTH, clip_features
from trainers.features.waveform_graph import ClipFeatures

pytestmark = pytest.mark.train


def _sound(level: float, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    at = np.arange(int(16_000 * seconds))
    loud = level * (0.3 * rng.standard_normal(len(at)) + np.sin(0.1 * at) ** 3 + 0.2)
    return (np.round(loud * 32_768) / 32_768).astype(np.float32)


def _by_libraries(samples: np.ndarray) -> np.ndarray:
    mel = librosa.feature.melspectrogram(y=samples, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=128)
    means = scipy.fft.dct(np.log(mel + 1e-8), axis=0, norm="ortho").mean(axis=1)
    histogram, _ = np.histogram(samples, bins=256, density=True)
    histogram = histogram[histogram > 0]
    x = samples.astype(np.float64)
    rms = np.sqrt(np.mean(x**2))
    basics = [rms, scipy.stats.kurtosis(x), scipy.stats.skew(x), np.ptp(x), np.abs(x).max() / rms, x.mean(), x.std()]
    return np.array([*means, *basics, -np.sum(histogram * np.log2(histogram))])


@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
@pytest.mark.parametrize("level", [0.5, 0.001])
def test_features_match_the_libraries(level: float) -> None:
    samples = _sound(level)
    features, expected = clip_features(samples, density=True), _by_libraries(samples)
    assert features.shape == (WIDTH,)
    assert np.allclose(features, expected, rtol=1e-3, atol=1e-3)


def test_entropy_in_bits_is_between_zero_and_eight() -> None:
    ramp = np.linspace(-0.5, 0.5, 25_600)
    assert clip_features(ramp, density=False)[-1] == pytest.approx(8.0, abs=0.01)
    assert clip_features(np.zeros(16_000), density=False)[-1] == pytest.approx(0.0, abs=1e-6)


def test_silence_has_finite_features() -> None:
    assert np.isfinite(clip_features(np.zeros(16_000), density=True)).all()


@pytest.mark.parametrize("density", [True, False])
def test_the_network_computes_the_same(density: bool) -> None:
    clips = np.stack([_sound(0.5), _sound(0.001), np.zeros(16_000, np.float32)])
    with torch.no_grad():
        features = ClipFeatures(density=density)(torch.from_numpy(clips.reshape(3, 100, 160))).numpy()
    expected = np.stack([clip_features(one, density=density) for one in clips])
    assert (np.abs(features - expected) / np.maximum(np.abs(expected), 1.0)).max() < 1e-3
