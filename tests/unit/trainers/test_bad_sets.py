"""What cannot be learned from ends `tocsin train` with the file's name, and leaves nothing half-written behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from schemas.errors import EmptyAudio, InputError, NotAudio, TooLittleSound, UnusableAudio, WrongLayout
from trainers.data.synthetic_set import SetOptions, write_set
from trainers.recipes.conv_ae.recipe import ConvAeRecipe
from trainers.recipes.embedding.recipe import EmbeddingRecipe
from trainers.recipes.knn.recipe import KnnRecipe
from trainers.recipes.mimii_ae.recipe import MimiiAeRecipe
from trainers.recipes.one_class.training import OneClassRecipe

pytestmark = pytest.mark.train

RATE = 16_000


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("good") / "set"
    write_set("folders", root, SetOptions(("fan",), 1, (6.0,), clips=6, anomalies=2, seconds=2.2, seed=4))
    return root


@pytest.fixture
def data(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "set")


def first(data: Path) -> Path:
    return sorted((data / "normal").iterdir())[0]


def _nan(data: Path) -> Path:
    samples = np.zeros(3 * RATE)
    samples[100] = np.nan
    soundfile.write(first(data), samples, RATE, subtype="FLOAT")
    return first(data)


def _clipped(data: Path) -> Path:
    soundfile.write(first(data), np.sign(np.sin(np.arange(3 * RATE) / 7.0)), RATE)
    return first(data)


def _other_rate(data: Path) -> Path:
    soundfile.write(first(data), 0.1 * np.sin(np.arange(3 * 48_000) / 7.0), 48_000)
    return first(data)


def _silent(data: Path) -> Path:
    soundfile.write(first(data), np.zeros(3 * RATE), RATE)
    return first(data)


def _no_sample(data: Path) -> Path:
    soundfile.write(first(data), np.zeros(0), RATE)
    return first(data)


def _short(data: Path) -> Path:
    for path in (data / "normal").iterdir():
        soundfile.write(path, 0.1 * np.sin(np.arange(RATE) / 7.0), RATE)
    return data


def _unsorted(data: Path) -> Path:
    return Path(shutil.move(first(data), data / "zz somewhere.wav"))


def _no_normal(data: Path) -> Path:
    shutil.rmtree(data / "normal")
    return data


def _one_file(data: Path) -> Path:
    for path in sorted(data.rglob("*.wav"))[1:]:
        path.unlink()
    return data


def _one_abnormal(data: Path) -> Path:
    kept, *others = sorted((data / "abnormal").iterdir())
    for path in others:
        path.unlink()
    return kept


def _two_normal(data: Path) -> Path:
    kept = sorted((data / "normal").iterdir())
    for path in kept[2:]:
        path.unlink()
    return kept[0]


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (_nan, EmptyAudio, "not all of them finite"),
        (_clipped, UnusableAudio, "is clipped"),
        (_silent, UnusableAudio, "is silent"),
        (_no_sample, EmptyAudio, "holds no sample"),
        (_other_rate, UnusableAudio, "has 48000 Hz, the set has 16000"),
        (_short, UnusableAudio, "lasts 1.00 s, a window 2.08 s"),
        (_unsorted, WrongLayout, "is in none of the folders"),
        (_no_normal, WrongLayout, "none of them normal"),
        (_one_file, WrongLayout, "one recording only"),
        (_one_abnormal, WrongLayout, "the only abnormal clip"),
        (_two_normal, WrongLayout, "2 clips cannot be split into 4 parts"),
    ],
)
def test_it_is_named(data: Path, spoil: Callable[[Path], Path], error: type[Exception], said: str) -> None:
    path = spoil(data)
    with pytest.raises(InputError, match=said) as caught:
        MimiiAeRecipe().train(data, 3, {"epochs": "1"})
    assert isinstance(caught.value, error)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("recipe", [MimiiAeRecipe, ConvAeRecipe])
def test_a_clip_that_is_only_tested_on_is_named_before_anything_is_trained(
    recipe: Any, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(*_: object) -> None:
        raise AssertionError("trained first")

    monkeypatch.setattr(OneClassRecipe, "fit", trained)
    spoilt = sorted((data / "abnormal").iterdir())
    for path in spoilt:
        soundfile.write(path, np.full(3 * RATE, np.nan), RATE, subtype="FLOAT")
    with pytest.raises(EmptyAudio, match="not all of them finite"):
        recipe().train(data, 3, {})


def _normal_is_empty(data: Path) -> Path:
    for path in (data / "normal").iterdir():
        path.unlink()
    return data / "normal"


def _broken(data: Path) -> Path:
    first(data).write_bytes(b"RIFF....nonsense")
    return first(data)


def _only_abnormal(data: Path) -> Path:
    shutil.rmtree(data / "normal")
    return data


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (_nan, EmptyAudio, "not all of them finite"),
        (_clipped, UnusableAudio, "is clipped"),
        (_silent, UnusableAudio, "is silent"),
        (_no_sample, EmptyAudio, "holds no sample"),
        (_other_rate, UnusableAudio, "48000 Hz"),
        (_normal_is_empty, WrongLayout, "has no recording"),
        (_only_abnormal, WrongLayout, "none of them normal"),
        (_two_normal, TooLittleSound, "in 2 spans without gaps"),
    ],
)
def test_knn_names_it_too(data: Path, spoil: Callable[[Path], Path], error: type[Exception], said: str) -> None:
    path = spoil(data)
    with pytest.raises(InputError, match=said) as caught:
        KnnRecipe().train(data, 3, {"preset": "small"})
    assert isinstance(caught.value, error)
    assert error is TooLittleSound or str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (_clipped, UnusableAudio, "is clipped"),
        (_only_abnormal, WrongLayout, "none of them normal"),
        (_normal_is_empty, WrongLayout, "none of them normal"),
        (_broken, NotAudio, r"cannot be decoded \(Format not recognised\): remove it"),
    ],
)
def test_embedding_names_it_too(data: Path, spoil: Callable[[Path], Path], error: type[Exception], said: str) -> None:
    spoil(data)
    with pytest.raises(InputError, match=said) as caught:
        EmbeddingRecipe().train(data, 3, {"embedding": "no", "seconds": "1.5"})
    assert isinstance(caught.value, error)


def test_knn_reads_labels_from_a_sets_layout(tmp_path: Path) -> None:
    write_set("mimii", tmp_path / "set", SetOptions(("fan",), 1, (6.0,), clips=12, anomalies=2, seconds=4.0, seed=4))
    trained = KnnRecipe().train(tmp_path / "set", 3, {"preset": "small"})
    assert trained.trained_on.startswith("12 recordings")
    assert "auc_abnormal" in trained.metrics


_TRAIN = """
    import resource, signal, sys
    from trainers.export import artefact
    from trainers.training import checkpoint
    from tocsin.cli.main import main

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    where, sys.argv = sys.argv[1], ["tocsin", *sys.argv[2:]]

    def filled(call):
        def wrapped(*arguments, **named):
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
            return call(*arguments, **named)
        return wrapped

    if where == "training":
        checkpoint.Checkpoint.save = filled(checkpoint.Checkpoint.save)
    else:
        artefact._pictures = filled(artefact._pictures)
    sys.exit(main())
"""
_FEW = {
    "mimii-ae": ["epochs=2", "least_steps=1"],
    "conv-ae": ["epochs=2", "least_steps=1", "batch=8"],
    "embedding": ["embedding=yes", "seconds=1.2", "steps=2", "batch=4", "synthetic=2", "width=4", "size=8"],
    "scream": ["folds=2", "steps=2", "batch=8", "synthetic=2"],
}


# What is written in the end is written by the same function for all.
@pytest.mark.parametrize(("recipe", "where"), [*((recipe, "training") for recipe in _FEW), ("mimii-ae", "writing")])
def test_a_disk_that_fills_up_leaves_no_half_written_artefact(
    good: Path, recordings: Path, tmp_path: Path, recipe: Any, where: str
) -> None:
    out = tmp_path / "out"
    data = recordings if recipe == "scream" else good
    command = ["train", recipe, "--data", str(data), "--out", str(out), "--install", str(tmp_path / "models")]
    settings = [part for one in _FEW[recipe] for part in ("--set", one)]
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_TRAIN), where, *command, *settings],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("tocsin: ")
    assert "cannot be written: File too large" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "models").exists()
    # The first checkpoint did not fit; complete ones are reported.
    assert ("the same command resumes there" in ran.stderr) == (where == "writing")
    left = {path.suffix for path in out.rglob("*") if path.is_file()}
    assert left == ({".pt"} if where == "writing" else set())
    assert out.exists() == (where == "writing")
