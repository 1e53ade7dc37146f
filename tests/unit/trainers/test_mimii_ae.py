"""The mimii-ae recipe: the baseline's vectors, network, protocol and published weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import h5py
import librosa
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from processors.core.audio.recording import rows_of
from schemas.errors import InputError, SettingsError, UnreadableInput, WrongLayout
from schemas.manifest import read_metadata
from trainers.data.loaders.layout import load_clips
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.export.artefact import write
from trainers.recipes.mimii_ae.data import baseline_clips
from trainers.recipes.mimii_ae.features import SPEC
from trainers.recipes.mimii_ae.network import WIDTHS, VectorAutoencoder, VectorErrorScore, to_vectors
from trainers.recipes.mimii_ae.recipe import MimiiAeRecipe
from trainers.recipes.mimii_ae.weights import load_weights

pytestmark = pytest.mark.train

TINY = {"epochs": "2", "least_steps": "1", "batch": "64"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "set"
    write_set("mimii", root, SetOptions(("fan",), 1, (6.0,), clips=8, anomalies=2, seconds=2.5, seed=3))
    return root


def keras_file(
    path: Path, widths: Sequence[int] = WIDTHS, seed: int = 0
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """As Keras 2 writes a model of dense layers."""
    rng = np.random.default_rng(seed)
    arrays = []
    with h5py.File(path, "w") as file:
        for number, (wide, narrow) in enumerate(pairwise(widths)):
            name = "dense" if number == 0 else f"dense_{number}"
            group = file.create_group(f"model_weights/{name}/{name}")
            kernel = rng.normal(0, 0.1, (wide, narrow)).astype(np.float32)
            bias = rng.normal(0, 0.1, narrow).astype(np.float32)
            group["kernel:0"], group["bias:0"] = kernel, bias
            arrays.append((kernel, bias))
    return arrays


def test_vectors_are_five_frames_one_after_the_other() -> None:
    frames = torch.arange(8 * 64, dtype=torch.float32).reshape(1, 8, 64)
    vectors = to_vectors(frames)
    assert vectors.shape == (1, 4, 320)
    assert torch.equal(vectors[0, 3], frames[0, 3:8].flatten())


def test_features_equal_the_baselines_for_the_same_frames() -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    mel = librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=1024, hop_length=512, n_mels=64, center=False)
    expected = 20.0 / 2.0 * np.log10(mel + np.finfo(float).eps)
    assert np.abs(rows_of(sound, 16_000, SPEC) - expected.T).max() < 1e-3


def test_a_windows_score_is_its_mean_error_and_bands_show_its_distribution() -> None:
    net = VectorAutoencoder()
    window = torch.randn(3, 64, 64)
    score, bands = VectorErrorScore(net)(window)
    vectors = to_vectors(window)
    squared_error = (net.reconstruct(vectors) - vectors).square()
    assert torch.allclose(score, squared_error.mean(dim=(1, 2)), rtol=1e-5)
    assert torch.allclose(bands.mean(dim=1), score, rtol=1e-5)
    assert torch.allclose(bands[:, 7], squared_error[:, :, 7::64].mean(dim=(1, 2)), rtol=1e-4)


def test_it_trains_and_becomes_a_file_that_serves(data: Path, tmp_path: Path) -> None:
    trained = MimiiAeRecipe().train(data, 3, TINY)
    path = write(trained, tmp_path, 3, "1.0.0")
    manifest, windows, scores = read_metadata({prop.key: prop.value for prop in onnx.load(path).metadata_props})
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run(["score"], {"log_mel": windows[:1]})
    assert np.allclose(answer, scores[:1], rtol=1e-5, atol=1e-5)
    assert manifest.parameters in (50_760, 50_761)
    assert trained.losses["training"][1] < trained.losses["training"][0]
    assert {"clip_auc", "window_auc", "level_auc"} <= manifest.metrics.keys()


def test_published_weights_answer_as_in_keras(tmp_path: Path) -> None:
    arrays = keras_file(tmp_path / "ae.h5")
    net = VectorAutoencoder()
    load_weights(net, tmp_path / "ae.h5")
    x = np.random.default_rng(1).normal(0, 1, (5, 320)).astype(np.float32)
    expected = x
    for number, (kernel, bias) in enumerate(arrays):
        expected = expected @ kernel + bias
        expected = np.maximum(expected, 0) if number < 5 else expected
    assert np.allclose(net.reconstruct(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-5)


@pytest.mark.usefixtures("no_pictures")
def test_published_weights_become_an_artefact_untouched(data: Path, tmp_path: Path) -> None:
    arrays = keras_file(tmp_path / "ae.h5")
    settings = TINY | {"weights": str(tmp_path / "ae.h5"), "tuning": "no"}
    path = write(MimiiAeRecipe().train(data, 3, settings), tmp_path / "out", 3, "1.0.0")
    kept = [onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer]
    assert any(one.size == 320 * 64 and np.isin(arrays[0][0], one).all() for one in kept)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    keras_file(tmp_path / "other.h5", (320, 64, 64, 16, 64, 64, 320))
    (tmp_path / "text.h5").write_text("no weights")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    for name in ("other.h5", "text.h5", "empty.h5", "none.h5"):
        with pytest.raises(UnreadableInput, match=name):
            load_weights(VectorAutoencoder(), tmp_path / name)
    for path in (tmp_path / "none.h5", tmp_path):
        with pytest.raises(UnreadableInput) as caught:
            load_weights(VectorAutoencoder(), path)
        assert str(caught.value) == f"{path} is not a file: give one of published weights"


def test_the_baselines_protocol_tests_on_the_first_normal_clips(data: Path) -> None:
    clips = load_clips(data)
    split = baseline_clips(clips, 3)
    assert [clip.path.stem for clip in split.test if clip.label == "normal"] == ["00000000", "00000001"]
    assert sum(clip.label == "abnormal" for clip in split.test) == 2
    training = split.train + split.validation + split.sweep
    assert {clip.path.stem for clip in training} == {f"{n:08}" for n in range(2, 8)}
    with pytest.raises(WrongLayout, match="0 abnormal"):
        baseline_clips([clip for clip in clips if clip.label == "normal"], 3)


def test_mistakes_are_named(data: Path) -> None:
    for settings, named in (
        ({"channel": "left"}, "'left'"),
        ({"protocol": "mine"}, "'mine'"),
        ({"tuning": "no"}, "weights=PATH"),
    ):
        with pytest.raises(SettingsError, match=named):
            MimiiAeRecipe().train(data, 3, settings)
    with pytest.raises(InputError, match="--data"):
        MimiiAeRecipe().train(None, 3, {})
