"""The machine and scream recipes end to end, small: from sound to a model file."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
import torch

from schemas.errors import ExportError, InputError, SettingsError, UnusableAudio
from schemas.manifest import BANDS_OUTPUT, SCORE_OUTPUT, read_metadata
from trainers.export.artefact import install, write
from trainers.export.onnx_export import export
from trainers.export.torch_model import TorchModel
from trainers.recipes.machine.options import MachineOptions
from trainers.recipes.machine.recipe import SPEC as MACHINE_SPEC
from trainers.recipes.machine.recipe import MachineRecipe
from trainers.recipes.registry import RECIPES, recipe
from trainers.recipes.scream.recipe import ScreamRecipe

TINY_MACHINE = {
    "machines": "6",
    "seconds": "2.5",
    "held_out": "1",
    "held_out_seconds": "4",
    "steps": "150",
    "batch": "8",
    "width": "4",
}
TINY_SCREAM = {"folds": "2", "steps": "20", "batch": "8", "synthetic": "2", "width": "8"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    out = tmp_path_factory.mktemp("machine")
    trained = MachineRecipe().train(None, 3, TINY_MACHINE)
    return trained, write(trained, out, 3, "1.2.3")


@pytest.fixture(scope="module")
def scream(tmp_path_factory, recordings):
    out = tmp_path_factory.mktemp("scream")
    trained = ScreamRecipe().train(recordings, 3, TINY_SCREAM)
    return trained, write(trained, out, 3, "1.2.3")


@pytest.mark.parametrize("name", ["machine", "scream"])
def test_the_file_says_what_it_is_and_reproduces_its_golden_scores(name, request):
    trained, path = request.getfixturevalue(name)
    model = onnx.load(path)
    manifest, features, scores = read_metadata({prop.key: prop.value for prop in model.metadata_props})
    assert (manifest.detector, manifest.version, manifest.seed) == (name, "1.2.3", 3)
    assert manifest.features_hash == trained.spec.hash()
    assert manifest.parameters == trained.model.parameters
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (answer,) = session.run([SCORE_OUTPUT], {"log_mel": features})
    assert np.allclose(answer, scores, rtol=1e-5, atol=1e-5)
    assert len(scores) == 3


@pytest.mark.parametrize("name", ["machine", "scream"])
def test_any_batch_size_is_taken_and_rows_do_not_mix(name, request):
    trained, path = request.getfixturevalue(name)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = np.random.default_rng(0).normal(0, 10, (7, trained.spec.n_frames, 64)).astype(np.float32)
    (together,) = session.run([SCORE_OUTPUT], {"log_mel": windows})
    alone = np.concatenate([session.run([SCORE_OUTPUT], {"log_mel": window[None]})[0] for window in windows])
    assert together.shape == (7,)
    assert np.allclose(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["machine", "scream"])
def test_the_file_is_one_small_and_tells_nothing_of_the_machine_it_was_made_on(name, request):
    _, path = request.getfixturevalue(name)
    raw = path.read_bytes()
    assert len(raw) < 400_000
    assert b"site-packages" not in raw
    assert b".py" not in raw
    assert not list(path.parent.glob("*.data"))


def test_the_score_is_the_error_of_the_bands_in_decibels(machine):
    _, path = machine
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = np.random.default_rng(1).normal(0, 10, (3, MACHINE_SPEC.n_frames, 64)).astype(np.float32)
    score, bands = session.run([SCORE_OUTPUT, BANDS_OUTPUT], {"log_mel": windows})
    assert bands.shape == (3, 64)
    assert bands.min() >= 0.0
    assert np.allclose(score, 10.0 * np.log10(bands.mean(axis=1) + 1e-6), atol=1e-3)


def test_a_machine_model_shows_reconstructions_of_held_out_machines(machine):
    trained, path = machine
    shown = {"loss", "scores", "roc", "confusion", "examples"}
    assert {one.name for one in path.parent.glob("*.png")} == {f"machine-{what}.png" for what in shown}
    assert [one.title.split(",")[0] for one in trained.examples] == ["normal", "normal", "faulty", "faulty"]
    for one in trained.examples:
        error = np.square((one.features - one.reconstruction).T.reshape(64, -1, 8).mean(axis=2)).mean()
        assert one.score == pytest.approx(10.0 * np.log10(error + 1e-6), abs=1e-3)


def test_figures_and_pictures_lie_beside_the_model(scream):
    _, path = scream
    names = {one.name for one in path.parent.iterdir()}
    pictures = {"scream-scores.png", "scream-roc.png", "scream-confusion.png", "scream-examples.png"}
    assert {"scream.onnx", "scream.json"} | pictures <= names
    figures = json.loads((path.parent / "scream.json").read_text())
    assert figures["report"]["kinds"]["positive"]["clips"] == 4
    assert 0.0 <= figures["manifest"]["metrics"]["cv_clip_recall"] <= 1.0


def test_the_same_seed_gives_the_same_model(machine, tmp_path):
    _, path = machine
    again = write(MachineRecipe().train(None, 3, TINY_MACHINE), tmp_path / "again", 3, "1.2.3")
    other = write(MachineRecipe().train(None, 4, TINY_MACHINE), tmp_path / "other", 3, "1.2.3")
    assert again.read_bytes() == path.read_bytes()
    assert other.read_bytes() != path.read_bytes()


def test_a_model_is_installed_beside_others(machine, tmp_path):
    _, path = machine
    (tmp_path / "index.json").write_text('{"scream": {"file": "scream.onnx", "sha256": "0"}}')
    install(path, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert set(index) == {"machine", "scream"}
    assert (tmp_path / index["machine"]["file"]).read_bytes() == path.read_bytes()


def test_an_export_that_answers_otherwise_is_refused(machine, tmp_path):
    class Restless(torch.nn.Module):
        """Exported in one state, asked in another."""

        def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
            mean = log_mel.mean(dim=(1, 2))
            return mean if torch.compiler.is_exporting() else mean + 1.0

    trained, _ = machine
    manifest = read_metadata({p.key: p.value for p in onnx.load(machine[1]).metadata_props})[0]
    with pytest.raises(ExportError, match="score"):
        export(TorchModel(Restless()), manifest, trained.golden, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def test_screams_need_recordings_of_enough_sources(recordings):
    with pytest.raises(InputError, match="--data"):
        ScreamRecipe().train(None, 3, {})
    with pytest.raises(InputError, match="4 sources"):
        ScreamRecipe().train(recordings, 3, {"folds": "5"})


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(32_000), 16_000, "silent"),
        (np.sign(np.sin(np.arange(32_000) / 7.0)), 16_000, "100% of its samples"),
        (0.3 * np.sin(np.arange(8_000) / 7.0), 4_000, "4000 Hz"),
    ],
)
def test_unusable_recordings_of_screams_are_named(recordings, tmp_path, samples, rate, message):
    data = shutil.copytree(recordings, tmp_path / "set")
    bad = data / "scream" / "positive" / "bad.wav"
    soundfile.write(bad, samples, rate)

    with pytest.raises(UnusableAudio, match=message) as raised:
        ScreamRecipe().train(data, 3, {"folds": "2"})

    assert str(bad) in str(raised.value)


def test_settings_are_read_or_refused():
    assert MachineOptions.parse({"steps": "3", "seconds": "4.5"}).seconds == 4.5
    with pytest.raises(SettingsError, match=r"no option 'patience'; there are batch, .*width"):
        MachineOptions.parse({"patience": "3"})
    with pytest.raises(SettingsError, match="'steps' is 'many'; it must be a whole number"):
        MachineOptions.parse({"steps": "many"})
    with pytest.raises(SettingsError, match="'steps' is '0'; it must be above 0"):
        MachineOptions.parse({"steps": "0"})
    with pytest.raises(SettingsError, match="'rate' is 'inf'; it must be a finite number"):
        MachineOptions.parse({"rate": "inf"})
    with pytest.raises(SettingsError, match=r"'faulty_share' is '1\.5'; it must be above 0 and 1 at most"):
        MachineOptions.parse({"faulty_share": "1.5"})


def test_recipes_are_found_by_name():
    assert all(recipe(name).name == name for name in RECIPES)
    with pytest.raises(SettingsError, match="toaster"):
        recipe("toaster")


def test_former_names_are_accepted_and_not_listed():
    assert [recipe(name).name for name in ("quick", "fleet")] == ["knn", "embedding"]
    with pytest.raises(SettingsError) as caught:
        recipe("toaster")
    assert not {"quick", "fleet"} & set(str(caught.value).replace(",", "").split())
