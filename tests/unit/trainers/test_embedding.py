"""The embedding recipe: its loss, its views, a device's memory bank, and the way from sound to a file."""

from __future__ import annotations

import shutil

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from schemas.errors import EmptyAudio, InputError, ScoreInverted, SettingsError, UnusableAudio
from schemas.features import FeatureSpec
from synthesis.fault import random_fault
from synthesis.machine import random_machine
from trainers.evaluation.direction import ensure_score_direction
from trainers.export.artefact import write
from trainers.recipes.embedding import recipe as embedding_recipe
from trainers.recipes.embedding.batches import SHIFTS, DeviceBatches, shifted
from trainers.recipes.embedding.data import DeviceRecording, TrainingDevice, load_devices
from trainers.recipes.embedding.memory_bank import fit_memory_bank
from trainers.recipes.embedding.model import MemoryBankNet
from trainers.recipes.embedding.network import PhaseStatistics
from trainers.recipes.embedding.quality import folds_of, memory_bank_of, pair_aucs
from trainers.recipes.embedding.recipe import EmbeddingRecipe, spec_of
from trainers.training.adacos import SubclusterAdaCos

TINY = {"seconds": "1.2", "steps": "3", "batch": "4", "synthetic": "2", "width": "4", "size": "8"}
SPEC = FeatureSpec(n_frames=48, window_hop=24)


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    root = tmp_path_factory.mktemp("embedding")
    for seed in range(2):
        machine = random_machine(seed)
        for number in range(4):
            _write(root / f"unit{seed}" / "normal" / f"{number}.wav", machine.sound.at(40_000 * number, 40_000))
        faulty = random_fault(9, machine, "leak").onto(machine, 0, 6.0)
        _write(root / f"unit{seed}" / "abnormal" / "0.wav", faulty.at(40_000, 40_000))
    return root


def _write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(samples, -1.0, 1.0), 16_000, subtype="PCM_16")


def test_the_loss_falls_as_embeddings_come_nearer_their_own_centres():
    torch.manual_seed(0)
    loss = SubclusterAdaCos(8, 3, clusters=2)
    shares = torch.eye(3)
    loss.scale.fill_(16.0)
    own, others = loss.centres[[0, 2, 4]], loss.centres[[2, 4, 0]]
    near, far = loss.eval()(own, shares), loss.eval()(others, shares)
    assert 4.0 * near < far


def test_the_scale_follows_the_batch_and_stays_finite():
    torch.manual_seed(0)
    loss = SubclusterAdaCos(8, 5)
    before = loss.scale.clone()
    for _ in range(20):
        loss(torch.randn(6, 8), torch.eye(5)[torch.arange(6) % 5])
    assert loss.scale != before
    assert 1.0 <= loss.scale < 100.0


def test_phases_are_separated_and_level_does_not_matter():
    log_mel = torch.full((1, 100, 16), -60.0)
    log_mel[:, 30:70] = -30.0
    log_mel[:, 30:70, 3] = -20.0
    log_mel[:, :30, 5] = -50.0
    log_mel[:, 70:, 5] = -50.0
    loud, spread, quiet, _ = PhaseStatistics()(log_mel)[0]
    assert loud.argmax() == 3
    assert quiet.argmax() == 5
    assert loud[3] - loud[0] == pytest.approx(10.0, abs=1.0)
    assert spread[0] < 3.0
    assert torch.allclose(PhaseStatistics()(log_mel + 12.0), PhaseStatistics()(log_mel), atol=1e-3)


def test_silence_has_phases():
    assert torch.isfinite(PhaseStatistics()(torch.zeros(2, 50, 16))).all()


def test_a_memory_bank_scores_what_differs_in_one_view_above_its_own():
    rng = np.random.default_rng(0)
    views = [rng.normal(0.0, 1.0, (60, 5)), rng.normal(0.0, 3.0, (60, 4))]
    memory_bank = fit_memory_bank(views, np.repeat(np.arange(20), 3))
    other = [rng.normal(0.0, 1.0, (30, 5)), rng.normal(9.0, 3.0, (30, 4))]
    assert abs(memory_bank.held_out.mean()) < 0.1
    assert np.median(memory_bank.score(other)) > np.quantile(memory_bank.held_out, 0.9)
    with pytest.raises(EmptyAudio, match="5 windows"):
        fit_memory_bank([view[:5] for view in views], np.arange(5))


def test_shifted_devices_are_other_classes_and_mixed_rows_share():
    rng = np.random.default_rng(0)
    devices = [
        TrainingDevice(str(n), (DeviceRecording(str(n), rng.normal(-60.0, 5.0, (90, 64)).astype(np.float32)),))
        for n in range(3)
    ]
    batches = DeviceBatches(devices, SPEC, 1, 32)
    windows, shares = batches.draw()
    assert batches.classes == 3 * len(SHIFTS)
    assert windows.shape == (32, 48, 64)
    assert torch.allclose(shares.sum(dim=1), torch.ones(32))
    assert 0 < int(((shares > 0).sum(dim=1) == 2).sum()) < 32
    assert shifted(np.arange(8, dtype=np.float32)[None], 2).tolist() == [[0, 0, 0, 1, 2, 3, 4, 5]]


def test_folds_hold_every_recording_out_once():
    recordings = [DeviceRecording(str(n), np.empty((0, 4), np.float32)) for n in range(10)]
    folds = folds_of(recordings, 3)
    assert sorted(int(one.name) for _, held_out in folds for one in held_out) == list(range(10))
    assert all(not set(map(id, learned)) & set(map(id, held_out)) for learned, held_out in folds)


def test_the_embedding_of_a_pair_is_trained_on_neither_of_the_two():
    rng = np.random.default_rng(0)
    devices = [
        TrainingDevice(
            str(n),
            tuple(DeviceRecording(f"{n}{k}", rng.normal(n, 5.0, (150, 64)).astype(np.float32)) for k in range(6)),
        )
        for n in range(3)
    ]
    trained_on = []

    class Flat(torch.nn.Module):
        def forward(self, log_mel):
            return log_mel.mean(dim=1)[:, :4]

    def train_on(devices):
        trained_on.append({device.name for device in devices})
        return Flat()

    table = pair_aucs(devices, train_on, SPEC, 1)
    assert trained_on == [{"2"}, {"1"}, {"0"}]
    assert table["pairs"].keys() == {f"{a} -> {b}" for a in "012" for b in "012" if a != b}
    assert 0.0 <= table["both"]["worst"] <= table["both"]["mean"] <= 1.0


def test_blocks_hold_out_contiguous_recordings():
    recordings = [DeviceRecording(f"{n:02}", np.zeros((1, 64), np.float32)) for n in range(10)]
    held_out = [[int(one.name) for one in held] for _, held in folds_of(recordings, 1, blocks=True)]
    assert held_out == [[0, 1, 2], [3, 4], [5, 6, 7], [8, 9]]
    mixed = [[int(one.name) for one in held] for _, held in folds_of(recordings, 1)]
    assert sorted(number for held in mixed for number in held) == list(range(10))
    assert mixed != held_out
    for learned, held in folds_of(recordings, 1, blocks=True):
        assert len(learned) + len(held) == 10


def test_sound_of_devices_becomes_one_file_for_one_of_them(machines, tmp_path):
    trained = EmbeddingRecipe().train(machines, 3, {**TINY, "device": "unit1", "embedding": "yes"})
    path = write(trained, tmp_path, 3, "1.0.0")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    windows = np.random.default_rng(1).normal(0.0, 10.0, (5, trained.spec.n_frames, 64)).astype(np.float32)
    windows -= windows.mean(axis=(1, 2), keepdims=True)
    (scores,) = session.run(["score"], {"log_mel": windows})
    assert np.allclose(scores, trained.model.predict(windows)[0], rtol=1e-4, atol=1e-4)
    assert trained.report["auc_by_device"].keys() == {"unit0", "unit1"}
    # 40,000 samples hold three windows of 1.2 s that overlap by half.
    assert [len(trained.scores[name]) for name in ("normal", "abnormal")] == [12, 3]
    assert trained.direction.kind == "rising"
    assert trained.direction.rising > 0.5
    shown = {"loss", "scores", "roc", "confusion", "examples"}
    assert {one.name for one in tmp_path.glob("*.png")} == {f"embedding-{what}.png" for what in shown}


def test_a_device_without_faults_is_compared_with_the_others(machines, tmp_path):
    data = shutil.copytree(machines, tmp_path / "set")
    for folder in data.glob("*/abnormal"):
        shutil.rmtree(folder)
    trained = EmbeddingRecipe().train(data, 3, {**TINY, "embedding": "no"})
    assert [len(trained.scores[name]) for name in ("normal", "other devices")] == [12, 12]
    assert [one.title for one in trained.examples][2:] == ["other devices, lowest", "other devices, highest"]


def test_recordings_too_short_are_not_counted_as_training_data(machines, tmp_path):
    data = shutil.copytree(machines, tmp_path / "set")
    for unit, labels in (("unit1", ("normal", "abnormal")), ("unit2", ("normal",))):
        for label in labels:
            _write(data / unit / label / "short.wav", random_machine(1).sound.at(0, 16_000))
    trained = EmbeddingRecipe().train(data, 3, {**TINY, "device": "unit1", "embedding": "yes"})
    assert trained.trained_on == (
        "4 normal recordings of unit1; its embedding on 8 of 2 devices and on 2 synthetic machines"
    )
    assert (trained.report["devices"], trained.report["recordings_too_short"]) == (2, 3)


def test_too_few_windows_are_reported_before_anything_is_trained(machines, monkeypatch):
    def trained(*_):
        raise AssertionError("trained first")

    monkeypatch.setattr(embedding_recipe, "train_embedding", trained)
    with pytest.raises(UnusableAudio, match=r"none of 8 normal recordings lasts a window of 5\.9. s, the longest 2\.4"):
        EmbeddingRecipe().train(machines, 3, {"embedding": "yes"})
    with pytest.raises(EmptyAudio, match=r"unit0 has 4 windows of 2\.4. s .*at least 6"):
        EmbeddingRecipe().train(machines, 3, {"embedding": "yes", "seconds": "2.45"})


def test_a_score_that_falls_with_faults_is_refused(machines, monkeypatch):
    forward = MemoryBankNet.forward
    monkeypatch.setattr(MemoryBankNet, "forward", lambda self, log_mel: -forward(self, log_mel))
    with pytest.raises(ScoreInverted, match="generated anomalies"):
        EmbeddingRecipe().train(machines, 3, {**TINY, "embedding": "no"})


def test_the_direction_is_checked_on_held_out_recordings(machines, monkeypatch):
    devices, _ = load_devices(machines, spec_of(1.2))
    fitted_to = []

    def recorded(recordings, *others):
        fitted_to.append([one.name for one in recordings])
        return memory_bank_of(recordings, *others)

    lengths = []

    def checked(model, spec, normal, seed, **named):
        lengths.extend(len(samples) for samples in normal)
        return ensure_score_direction(model, spec, normal, seed, **named)

    monkeypatch.setattr(embedding_recipe, "memory_bank_of", recorded)
    monkeypatch.setattr(embedding_recipe, "ensure_score_direction", checked)
    embedding_recipe.direction_of(devices[0], None, spec_of(1.2), 3)
    assert [len(names) for names in fitted_to] == [3]
    assert lengths == [40_000]


def test_without_an_embedding_the_memory_bank_alone_is_the_model(machines, tmp_path):
    trained = EmbeddingRecipe().train(machines, 3, {**TINY, "pairs": "yes"})
    assert not trained.losses
    assert trained.model.parameters == 4 * (64 + 64 * 64)
    assert write(trained, tmp_path, 3, "1.0.0").stat().st_size < 300_000
    assert trained.report["pairs"].keys() == {"pairs", "phases"}
    assert trained.metrics["auc_lowest"] > 0.9


def test_plain_folders_are_devices_by_their_names(tmp_path):
    for name in ("pump_1", "pump_2", "fan_1", "fan_2"):
        _write(tmp_path / f"{name}.wav", random_machine(1).sound.at(0, 20_000))
    devices, digests = load_devices(tmp_path, SPEC)
    assert [(device.name, len(device.normal)) for device in devices] == [("fan", 2), ("pump", 2)]
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.sign(np.sin(np.arange(20_000) / 7.0)), 16_000, "is clipped"),
        (np.zeros(20_000), 16_000, "is silent"),
        (0.1 * np.sin(np.arange(60_000) / 7.0), 48_000, "48000 Hz, most of the set 16000"),
        (0.1 * np.sin(np.arange(20_000) / 7.0), 8_000, "8000 Hz, the features need 16000"),
    ],
)
def test_plain_folders_are_as_careful_as_sets(tmp_path, samples, rate, message):
    for name in ("pump_1", "pump_2", "fan_1"):
        _write(tmp_path / f"{name}.wav", random_machine(1).sound.at(0, 20_000))
    soundfile.write(tmp_path / "fan_2.wav", samples, rate, subtype="PCM_16")
    with pytest.raises(UnusableAudio, match=message) as caught:
        load_devices(tmp_path, SPEC)
    assert "fan_2.wav" in str(caught.value)


def test_unusable_data_and_settings_are_reported(machines):
    with pytest.raises(InputError, match="--data"):
        EmbeddingRecipe().train(None, 3, {})
    with pytest.raises(SettingsError, match="unit7"):
        EmbeddingRecipe().train(machines, 3, {**TINY, "device": "unit7"})
    with pytest.raises(SettingsError, match="'maybe'"):
        EmbeddingRecipe().train(machines, 3, {**TINY, "pairs": "maybe"})
    with pytest.raises(SettingsError, match="seconds"):
        spec_of(60.0)
