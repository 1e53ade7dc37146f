"""The knn recipe: from a device's sound to a file that serves, with the runtime's libraries alone."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from processors.adapters.models.onnx_model import load_model
from schemas.errors import ScoreInverted, SettingsError, TooLittleSound, UnreadableInput
from synthesis.fault import FAULTS
from synthesis.machine import random_machine
from tocsin.cli.commands.train import train
from trainers.evaluation import direction
from trainers.evaluation.direction import generated_anomalies
from trainers.export.artefact import write
from trainers.recipes.knn.data import ContinuousAudio, excerpts, windows_in
from trainers.recipes.knn.model import KnnModel, summarise
from trainers.recipes.knn.neighbours import fit
from trainers.recipes.knn.options import KnnOptions, spec_of
from trainers.recipes.knn.recipe import KnnRecipe, train_knn

RATE = 16_000
OPTIONS = KnnOptions(window=3, mels=64)
SPEC = spec_of(OPTIONS)

app = typer.Typer()
app.command()(train)


def sound(seed: int, first_s: float, seconds: float) -> np.ndarray:
    machine = random_machine(seed, "pump").sound
    return np.clip(machine.at(int(first_s * RATE), int(seconds * RATE)), -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    return train_knn([ContinuousAudio(sound(4, 0, 60), RATE, "0" * 64)], "knn", "a pump", 7, OPTIONS)


@pytest.fixture(scope="module")
def file(trained, tmp_path_factory):
    return write(trained, tmp_path_factory.mktemp("knn"), 7, "1.0")


def test_the_file_passes_a_workers_checks_and_answers_as_the_model(trained, file):
    model = load_model(file)
    windows = windows_in([ContinuousAudio(sound(4, 100, 8), RATE, "")], SPEC).features
    scores, bands = model.score(windows)
    expected, shares = trained.model.predict(windows)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_allclose(bands, shares, rtol=1e-5, atol=1e-5)
    assert model.manifest.calibration.transfer == "own"
    assert model.manifest.detector == "machine"
    assert model.manifest.direction == "rising"


def test_normal_sound_of_later_stays_below_the_threshold_and_a_fault_does_not(trained, file):
    model = load_model(file)
    threshold = model.manifest.calibration.threshold
    later = ContinuousAudio(sound(4, 300, 12), RATE, "")
    normal = model.score(windows_in([later], SPEC).features)[0]
    leaking = generated_anomalies(later.samples, RATE, 9, -3.0)["leak"]
    faulty, bands = model.score(windows_in([ContinuousAudio(leaking, RATE, "")], SPEC).features)
    assert normal.max() < threshold < faulty.min()
    # A leak hisses above 1.5 kHz: bands of the upper half explain it.
    assert bands[:, 32:].sum() > 2.0 * bands[:, :32].sum()


def test_the_windows_to_look_at_score_as_they_say(trained):
    assert [one.title for one in trained.examples] == [
        f"{what}, {end}" for what in ("normal", "with a generated fault") for end in ("lowest", "highest")
    ]
    # Normal ones were held out when they were scored: a model of them all has them nearer.
    for one in trained.examples[2:]:
        assert trained.model.predict(one.features[None])[0][0] == pytest.approx(one.score, abs=1e-3)


def test_scores_are_decibels_above_the_devices_usual_one(trained):
    assert abs(float(np.median(trained.scores["normal"]))) < 1e-9
    assert trained.calibration.quantiles["0.5"] == 0.0
    assert trained.calibration.threshold >= 6.0 + trained.scores["normal"].mean() - 1e-3
    assert set(trained.scores) == {"normal", "bearing", "rub", "cavitation", "tooth", "leak"}
    assert trained.metrics["auc_generated"] > 0.9


def test_the_model_is_the_same_for_a_softer_microphone():
    loud = sound(4, 0, 45)
    windows = [windows_in([ContinuousAudio(gain * loud, RATE, "")], SPEC).features for gain in (1.0, 0.05)]
    np.testing.assert_allclose(summarise(windows[0]), summarise(windows[1]), atol=0.05)


def pooled_windows(frames: np.ndarray) -> np.ndarray:
    """One window of rows of twenty frames each."""
    rows = frames.reshape(-1, 20, 64)
    return np.concatenate([rows.mean(axis=1), rows.std(axis=1)], axis=1)[None].astype(np.float32)


def test_a_short_windows_summary_is_the_mean_and_deviation_of_all_frames():
    frames = np.random.default_rng(0).normal(-50, 6, (60, 64))
    summary = summarise(pooled_windows(frames))[0]
    np.testing.assert_allclose(summary[:64], frames.mean(axis=0) - frames.mean(), atol=1e-4)
    np.testing.assert_allclose(summary[64:], frames.std(axis=0), atol=1e-4)


def test_what_lasts_for_three_rows_of_ten_hardly_moves_a_summary_and_what_lasts_for_seven_does():
    rng = np.random.default_rng(0)
    plain = rng.normal(-50, 1, (200, 64))
    slammed, faulty = plain.copy(), plain.copy()
    slammed[60:120, 10:30] += 30.0
    faulty[20:160, 10:30] += 30.0
    still, moved = (
        np.abs(summarise(pooled_windows(one)) - summarise(pooled_windows(plain))) for one in (slammed, faulty)
    )
    assert still.max() < 1.0
    assert moved[0, 10:30].min() > 15.0


def test_rows_that_are_left_out_are_left_out_of_the_file_as_well():
    spec = spec_of(KnnOptions(window=10, mels=64))
    windows = np.abs(np.random.default_rng(1).normal(5, 2, (40, 10, 128))).astype(np.float32)
    windows[20:, 3:6] *= 3.0
    model = KnnModel(fit(summarise(windows), np.arange(40), 1), spec)
    session = onnxruntime.InferenceSession(model.graph(windows).SerializeToString())
    for actual, expected in zip(
        session.run(list(model.outputs), {"log_mel": windows}), model.predict(windows), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_windows_never_cross_a_gap():
    spans = [ContinuousAudio(sound(4, start, 5), RATE, "") for start in (0, 50)]
    windows = windows_in(spans, SPEC)
    alone = np.concatenate([windows_in([span], SPEC).features for span in spans])
    np.testing.assert_array_equal(windows.features, alone)
    assert windows.span.tolist() == [0, 0, 1, 1]
    assert windows.start[2] - windows.start[1] >= SPEC.n_frames


def test_excerpts_are_whole_and_spread_over_the_sound():
    long = ContinuousAudio(np.arange(60 * RATE, dtype=np.float32), RATE, "")
    short = ContinuousAudio(np.zeros(2 * RATE, dtype=np.float32), RATE, "")
    chosen = excerpts([short, long], SPEC, 3)
    assert [piece.samples[0] / RATE for piece in chosen] == pytest.approx([0.0, 14.0, 42.0], abs=8.0)
    assert all(piece.seconds > SPEC.window_seconds for piece in chosen)


def test_too_little_sound_says_how_much_there_is_and_how_much_is_needed():
    with pytest.raises(TooLittleSound, match=r"20 s of sound in 1 spans without gaps.*at least 37 s"):
        train_knn([ContinuousAudio(sound(4, 0, 20), RATE, "")], "knn", "", 7, OPTIONS)


def test_a_score_that_falls_with_faults_is_refused(monkeypatch):
    monkeypatch.setattr(direction, "generated_anomalies", lambda samples, *_: dict.fromkeys(FAULTS, samples))
    with pytest.raises(ScoreInverted, match="more than half must"):
        train_knn([ContinuousAudio(sound(4, 0, 45), RATE, "")], "knn", "", 7, OPTIONS)


def test_it_trains_from_a_folder_and_measures_against_other_folders(tmp_path):
    for number in range(15):
        folder, seed = ("normal", 4) if number < 10 else ("worn", 5)
        (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        soundfile.write(
            tmp_path / "data" / folder / f"{number}.wav", sound(seed, 20 * number, 7), RATE, subtype="PCM_16"
        )
    settings = [part for one in ("window=3", "mels=64") for part in ("--set", one)]
    arguments = ["knn", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--json", *settings]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout.splitlines()[-1])
    assert printed["metrics"]["auc_worn"] == 1.0
    assert printed["metrics"]["minutes"] == pytest.approx(70 / 60, abs=0.01)
    assert load_model(tmp_path / "out" / "knn.onnx").manifest.trained_on == "10 recordings of 1.2 minutes"


def test_recordings_that_are_not_normal_are_shown_beside_generated_faults(tmp_path):
    for number in range(12):
        folder, seed = ("normal", 4) if number < 10 else ("worn", 5)
        (tmp_path / folder).mkdir(exist_ok=True)
        soundfile.write(tmp_path / folder / f"{number}.wav", sound(seed, 20 * number, 7), RATE, subtype="PCM_16")
    trained = KnnRecipe().train(tmp_path, 7, {"preset": "small"})
    worn = trained.scores["recorded: worn"]
    assert worn.min() > trained.scores["normal"].max()
    assert [(one.title, one.score) for one in trained.examples[-2:]] == [
        ("recorded: worn, lowest", worn.min()),
        ("recorded: worn, highest", worn.max()),
    ]


def test_mistakes_are_the_users(tmp_path):
    with pytest.raises(UnreadableInput, match="--data"):
        KnnRecipe().train(None, 7, {})
    with pytest.raises(SettingsError, match="mels 600"):
        KnnRecipe().train(tmp_path, 7, {"mels": "600"})
    with pytest.raises(SettingsError, match="it must be a name of letters"):
        KnnRecipe().train(tmp_path, 7, {"detector": "a b"})


def test_parameters_are_counted(trained):
    model = trained.model
    assert isinstance(model, KnnModel)
    d, references = 2 * OPTIONS.mels, trained.report["references"]
    assert model.parameters == d + d * d + references * (d + 1) + 1


def test_neither_training_nor_export_needs_torch():
    """Not on a machine where torch is installed either."""
    program = (
        "import sys; sys.modules['torch'] = None; sys.modules['sklearn'] = None; sys.modules['librosa'] = None\n"
        "import trainers.recipes.knn.recipe, trainers.export.artefact, trainers.export.onnx_export\n"
        "from trainers.recipes.registry import recipe\n"
        "assert recipe('knn').name == 'knn'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
