"""Sensor files are trained on as they are sent: npz and CSV, at their rate, on one scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner, Result

from processors.adapters.models.onnx_model import load_model
from producers.sources.sensor import SensorOptions, on_one_scale, read_sensor
from schemas.errors import InputError, SettingsError, UnusableAudio
from synthesis.machine import random_machine
from tocsin.cli.commands.score import score
from tocsin.cli.commands.train import train
from tocsin.sensor_folder import as_recordings
from trainers.recipes.machine.network import MachineNet
from trainers.recipes.machine.quality import bearing_aucs
from trainers.recipes.machine.recipe import SPEC

pytestmark = pytest.mark.train

RATE = 16_000
app = typer.Typer()
app.command("train")(train)
app.command("score")(score)


def sound(seed: int, first_s: float, seconds: float) -> np.ndarray:
    machine = random_machine(seed, "pump").sound
    return machine.at(int(first_s * RATE), int(seconds * RATE)).astype(np.float32)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def bearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Normal sound in g as npz that says its rate; another machine's as CSV that does not."""
    root = tmp_path_factory.mktemp("sensors") / "bearing"
    for number in range(10):
        path = root / "normal" / f"{number}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, acceleration_g=3.0 * sound(4, 20 * number, 7), sample_rate_hz=RATE)
    (root / "worn").mkdir()
    for number in range(2):
        lines = "\n".join(f"{value:.6g}" for value in 3.0 * sound(5, 20 * number, 7))
        (root / "worn" / f"{number}.csv").write_text(f"acceleration_g\n{lines}\n")
    return root


def test_a_folder_of_npz_and_csv_becomes_a_model_that_scores_such_files(bearing: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    made = run("train", "quick", "--data", bearing, "--rate", RATE, "--set", "preset=small", "--out", out, "--json")

    assert made.exit_code == 0, made.output
    metrics = json.loads(made.stdout)["metrics"]
    assert metrics["auc_worn"] == 1.0
    assert metrics["minutes"] == pytest.approx(70 / 60, abs=0.01)
    manifest = load_model(out / "knn.onnx").manifest
    assert manifest.trained_on == "10 recordings of 1.2 minutes"

    worn = bearing / "worn" / "0.csv"
    scored = run("score", worn, "--model", out / "knn.onnx", "--rate", RATE, "--json")
    assert scored.exit_code == 0, scored.output
    lines = [json.loads(line) for line in scored.stdout.splitlines()]
    assert all(line["score"] > manifest.calibration.threshold for line in lines[1:])


def test_what_is_heard_is_what_would_be_sent_of_one_device(bearing: Path) -> None:
    options = SensorOptions(sample_rate=RATE)
    paths = [*sorted(bearing.glob("normal/*.npz")), *sorted(bearing.glob("worn/*.csv"))]
    sent = on_one_scale([read_sensor(path, options) for path in paths])

    with as_recordings(bearing, options) as folder:
        assert folder is not None
        for recording in sent:
            written, rate = soundfile.read(
                folder / recording.path.relative_to(bearing).with_suffix(".wav"), dtype="int16", always_2d=True
            )
            assert rate == RATE
            assert np.array_equal(written, np.concatenate([block.samples for block in recording.blocks()]))
    assert not folder.exists()
    assert len(sent) == 12


def test_a_one_class_recipe_learns_from_them(tmp_path: Path) -> None:
    data = tmp_path / "set"
    for label, number in [("normal", n) for n in range(8)] + [("abnormal", n) for n in range(2)]:
        values = sound(4 if label == "normal" else 5, 10 * number, 2.5)
        (data / label).mkdir(parents=True, exist_ok=True)
        np.savez(data / label / f"take{number}x.npz", acceleration_g=values, sample_rate_hz=RATE)

    tiny = [part for one in ("epochs=2", "least_steps=1", "batch=64") for part in ("--set", one)]
    made = run("train", "mimii-ae", "--data", data, *tiny, "--out", tmp_path / "out", "--json")

    assert made.exit_code == 0, made.output
    assert "clip_auc" in json.loads(made.stdout)["metrics"]


def test_a_machine_model_is_measured_on_bearings_in_csv(tmp_path: Path) -> None:
    data = tmp_path / "bearings"
    (data / "bearing").mkdir(parents=True)
    for name, seed in (("normal", 4), ("worn", 5)):
        np.savetxt(data / "bearing" / f"{name}.csv", sound(seed, 0, 4), header="acceleration_g", comments="")

    with as_recordings(data, SensorOptions(sample_rate=RATE)) as folder:
        assert folder is not None
        found = bearing_aucs(MachineNet().eval(), folder / "bearing", SPEC)

    assert list(found) == ["worn"]
    assert 0.0 <= found["worn"] <= 1.0


def test_a_csv_that_does_not_say_its_rate_leads_on(bearing: Path) -> None:
    wanted = pytest.raises(InputError, match=r"worn/0\.csv does not state its sample rate: give --rate in Hz")
    with wanted, as_recordings(bearing, SensorOptions()):
        pass


def test_what_a_recipe_refuses_is_told_with_the_sensor_files_name(tmp_path: Path) -> None:
    for name, rate in (("a", RATE), ("b", RATE), ("c", 8_000)):
        np.savez(tmp_path / f"{name}.npz", acceleration_g=sound(4, 0, 7), sample_rate_hz=rate)

    refused = run("train", "quick", "--data", tmp_path, "--out", tmp_path / "out")

    assert isinstance(refused.exception, UnusableAudio)
    assert str(refused.exception).startswith(f"{tmp_path / 'c.npz'} has 8000 Hz, the normal sound 16000")


def test_labels_lie_beside_and_two_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(8), sample_rate_hz=RATE)
    (tmp_path / "a.csv").write_text("0.5\n0.25\n")
    (tmp_path / "a.txt").write_text("0\t1\tscream\n")

    with as_recordings(tmp_path, SensorOptions(sample_rate=RATE)) as folder:
        assert folder is not None
        assert sorted(path.name for path in folder.iterdir()) == ["a.npz.wav", "a.txt", "a.wav"]
        assert (folder / "a.txt").read_text() == "0\t1\tscream\n"


@pytest.mark.parametrize("data", [None, "sound"])
def test_options_of_sensor_files_need_such_files(data: str | None, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound(4, 0, 1), RATE)
    (tmp_path / "list.csv").write_text("name,label\na,normal\n")
    folder = None if data is None else tmp_path

    with as_recordings(folder, SensorOptions()) as given:
        assert given == folder
    wanted = pytest.raises(SettingsError, match="--rate, --column and --full-scale are for folders of sensor files")
    with wanted, as_recordings(folder, SensorOptions(sample_rate=RATE)):
        pass
