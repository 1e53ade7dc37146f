"""The leak recipe: its features, the anomalies it generates, its networks, and the way from names to a file."""

from __future__ import annotations

import json
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import pytest
import scipy.fft
import torch

from schemas.errors import InputError, SettingsError, WrongLayout
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.features.gammatone import centres, erb, gammatone_weights
from trainers.recipes.leak.anomalies import KINDS, SOUND_KINDS, change_image, change_sound, pink
from trainers.recipes.leak.features import SPEC, LeakFeatures
from trainers.recipes.leak.network import EXTRACTORS, ConvAutoencoder, DenseVae, Extractor
from trainers.recipes.leak.recipe import LeakRecipe
from trainers.recipes.leak.training import AUTOENCODERS, train_autoencoder

pytestmark = pytest.mark.train

TINY = {"steps": "20", "batch": "8", "extractor_steps": "2", "extractor_batch": "2"}


@pytest.fixture(scope="module")
def loggers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("leak") / "set"
    write_set("leak", out, SetOptions(ids=5, clips=3, anomalies=1))
    return out


def _window(seed: int) -> torch.Tensor:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((1, SPEC.n_frames, SPEC.n_fft))
    return torch.from_numpy(samples.astype(np.float32))


def test_gammatone_filters_peak_at_their_centres_and_have_their_bandwidths() -> None:
    weights = gammatone_weights(64, 4_096, 8_000)
    bins = np.linspace(0.0, 4_000.0, 2_049)
    middle = centres(64, 50.0, 4_000.0 - float(erb(4_000.0)))
    assert np.abs(bins[weights.argmax(axis=1)] - middle).max() < 2.0
    assert np.allclose(weights.sum(axis=1), 1.0)
    # An equivalent rectangle as high as the peak and as wide as the bandwidth holds what the filter passes.
    widths = 1.0 / weights.max(axis=1) * (bins[1] - bins[0])
    assert np.allclose(widths[20:60], erb(middle)[20:60], rtol=0.02)


def test_mel_cepstra_are_those_of_librosa() -> None:
    window = _window(0)
    coefficients = LeakFeatures("mfcc")(window)[0, 0].numpy()
    mel = librosa.feature.melspectrogram(
        y=window.numpy().ravel(), sr=8_000, n_fft=1_024, hop_length=512, n_mels=64, fmin=20.0, fmax=4_000.0
    )
    logarithms = 10.0 * np.log10(np.maximum(mel, 1e-6))
    expected = scipy.fft.dct(logarithms - logarithms.mean(), axis=0, norm="ortho")[:44]
    expected = (expected - expected.mean()) / expected.std()
    assert coefficients.shape == (44, 86)
    assert np.abs(coefficients - expected).max() < 1e-3


@pytest.mark.parametrize(("kind", "shape"), [("time-frequency", (224, 224)), ("mfcc", (44, 86)), ("gfcc", (64, 86))])
def test_images_have_their_sizes_and_no_level(kind: str, shape: tuple[int, ...]) -> None:
    features = LeakFeatures(kind)
    image = features(_window(1))
    assert image.shape == (1, 1, *shape)
    assert features.shape == (1, *shape)
    # Single bins may fall to the floor of the logarithm.
    assert (features(0.25 * _window(1)) - image).abs().mean() < 1e-3
    assert torch.isfinite(features(torch.zeros(1, SPEC.n_frames, SPEC.n_fft))).all()


def test_columns_of_the_image_are_standardised() -> None:
    image = LeakFeatures("time-frequency")(_window(2))[0, 0]
    assert torch.allclose(image.mean(dim=0), torch.zeros(224), atol=1e-4)
    assert torch.allclose(image.std(dim=0, unbiased=False), torch.ones(224), atol=1e-3)


def test_pink_noise_loses_three_decibels_an_octave() -> None:
    power = np.abs(np.fft.rfft(pink(np.random.default_rng(0), 2**17))) ** 2
    low, high = power[4_096:8_192].mean(), power[8_192:16_384].mean()
    assert 10.0 * np.log10(low / high) == pytest.approx(3.0, abs=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_anomaly_changes_its_input(kind: str) -> None:
    rng = np.random.default_rng(4)
    if kind in SOUND_KINDS:
        before = (0.1 * rng.standard_normal(5_000)).astype(np.float32)
        after = change_sound(kind, rng, before)
    else:
        before = rng.standard_normal((64, 86)).astype(np.float32)
        kept = before.copy()
        after = change_image(kind, rng, before)
        assert np.array_equal(before, kept)
    assert after.shape == before.shape
    assert after.dtype == np.float32
    assert np.abs(after - before).max() > 1e-3
    if kind == "shuffled":
        assert np.array_equal(np.sort(after), np.sort(before))


def test_the_extractor_ends_at_the_last_convolution() -> None:
    extractor = Extractor(EXTRACTORS[0]).eval()
    assert extractor.shape == (960, 7, 7)
    assert extractor(torch.zeros(1, 1, 224, 224)).shape == (1, 960, 7, 7)


@pytest.mark.parametrize("shape", [(960, 7, 7), (1, 44, 86), (1, 64, 86)])
def test_autoencoders_keep_the_size_and_range_of_their_input(shape: tuple[int, ...]) -> None:
    for net in (ConvAutoencoder(shape).eval(), DenseVae(shape if shape[0] == 1 else (960, 1, 1)).eval()):
        given = torch.rand(2, *(shape if isinstance(net, ConvAutoencoder) or shape[0] == 1 else (960, 1, 1)))
        rebuilt = net(given)
        assert rebuilt.shape == given.shape
        assert 0.0 <= rebuilt.min() <= rebuilt.max() <= 1.0
        assert net.encode(given).shape == (2, 30)


@pytest.mark.parametrize("model", AUTOENCODERS)
def test_every_autoencoder_trains(model: str) -> None:
    torch.manual_seed(0)
    maps = 0.5 + 0.4 * torch.sin(torch.arange(64)[:, None] * torch.linspace(0.1, 1.0, 192)).view(64, 1, 12, 16)
    _, losses = train_autoencoder(model, maps, 1, 60, 16, 2e-3)
    assert len(losses) == 60
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_names_become_a_file_and_loggers_are_not_split(loggers: Path, tmp_path: Path) -> None:
    trained = LeakRecipe().train(loggers, 3, {**TINY, "features": "mfcc"})
    path = write(trained, tmp_path, 3, "1.0.0")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = torch.cat([_window(seed) for seed in range(4)]).numpy()
    (scores,) = session.run(["score"], {"waveform": windows})
    assert np.allclose(scores, trained.model.infer(windows)[0], rtol=1e-4, atol=1e-4)
    report = json.loads((tmp_path / "leak.json").read_text())["report"]
    assert sum(report["loggers"].values()) == 5
    assert report["clips"]["learned"] == 3 * report["loggers"]["learned"]
    assert report["clips"]["leak"] == 5
    assert (tmp_path / "leak-latents.png").stat().st_size > 1_000
    assert trained.direction.rising > 0.5
    assert [one.title for one in trained.examples] == [
        f"{what}, {end}" for what in ("normal", "leak") for end in ("lowest", "highest")
    ]
    # 44 coefficients of 86 frames, low ones first, and the sound they are of.
    assert all(one.features.shape == one.reconstruction.shape == (86, 44) for one in trained.examples)
    assert all(len(one.samples) == SPEC.window_samples for one in trained.examples)


def test_unusable_data_and_settings_are_reported(loggers: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        LeakRecipe().train(None, 3, {})
    for option, value in (("features", "cqt"), ("model", "gan"), ("two_sided", "maybe"), ("extractor", "vgg")):
        with pytest.raises(SettingsError, match=value):
            LeakRecipe().train(loggers, 3, {**TINY, "extractor": "none", option: value})
    write_set("leak", tmp_path / "tight", SetOptions(ids=3, clips=2, anomalies=1))
    for path in (tmp_path / "tight").iterdir():
        if path.stem.rpartition("-")[2].startswith("3"):
            path.unlink()
    with pytest.raises(WrongLayout, match="no recording of a leak"):
        LeakRecipe().train(tmp_path / "tight", 3, TINY)
