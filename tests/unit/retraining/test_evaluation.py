"""Both models are evaluated on the same windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.adapters.models.onnx_model import OnnxModel, load_shipped
from schemas.errors import SettingsError
from synthesis.fault import FAULTS
from synthesis.machine import random_machine
from synthesis.sound import SAMPLE_RATE
from tocsin.retraining.evaluation import evaluate, runs_of
from tocsin.retraining.sound_set import SoundFile, Split
from trainers.evaluation.compare import figures_of

SECOND_NS = 10**9
CLIP_S = 4
SNRS_DB = (-30.0, 0.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[SoundFile]:
    """A fan, in consecutive clips."""
    folder = tmp_path_factory.mktemp("clips")
    sound = random_machine(3, "fan").sound
    found = []
    for number in range(8):
        path = folder / f"{number}.wav"
        samples = sound.at(number * CLIP_S * SAMPLE_RATE, CLIP_S * SAMPLE_RATE)
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
        begin = number * CLIP_S * SECOND_NS
        found.append(SoundFile(path, path.name, "fan", False, "s1", begin, begin + CLIP_S * SECOND_NS))
    return found


@pytest.fixture(scope="module")
def machine() -> OnnxModel:
    return load_shipped("machine")


def split_of(reference: Sequence[SoundFile], measured: Sequence[SoundFile]) -> Split:
    return Split((), tuple(reference), tuple(measured))


def test_consecutive_clips_are_one_run(clips: list[SoundFile]) -> None:
    (joined,) = runs_of(reversed(clips), 1_000.0)
    parts = runs_of([clips[0], clips[1], clips[3], clips[4]], 1_000.0)

    assert len(joined) == 8 * CLIP_S * SAMPLE_RATE
    assert [len(one) // SAMPLE_RATE for one in parts] == [2 * CLIP_S, 2 * CLIP_S]
    assert np.array_equal(
        np.concatenate(parts), np.concatenate([joined[: 8 * SAMPLE_RATE], joined[12 * SAMPLE_RATE : 20 * SAMPLE_RATE]])
    )
    assert sum(map(len, runs_of(clips, 9.0))) == 3 * CLIP_S * SAMPLE_RATE


def test_sessions_are_not_joined(clips: list[SoundFile]) -> None:
    other = replace(clips[1], source="s2")

    assert len(runs_of([clips[0], other], 1_000.0)) == 2


def test_a_model_is_not_worse_than_itself(clips: list[SoundFile], machine: OnnxModel) -> None:
    result = evaluate(split_of(clips[:4], clips[4:]), machine, {"fan": machine}, SNRS_DB, 7, 1_000.0)

    assert figures_of(result.candidate) == figures_of(result.champion)
    figures = figures_of(result.candidate)
    assert set(figures.auc) == {f"{kind} {snr:+g} dB" for kind in FAULTS for snr in SNRS_DB}
    # 16 s contain 15 windows of 1.96 s, one every 0.96 s.
    assert figures.windows == 15
    for kind in FAULTS:
        quiet, loud = (result.candidate[0].anomalous[f"{kind} {snr:+g} dB"] for snr in SNRS_DB)
        assert len(quiet) == len(loud) == 15
        assert loud.mean() > quiet.mean()
    assert figures.auc["leak +0 dB"] > 0.95


def test_the_same_seed_gives_the_same_anomalies(clips: list[SoundFile], machine: OnnxModel) -> None:
    one, two, other = (
        figures_of(evaluate(split_of(clips[:3], clips[4:]), machine, {"fan": None}, SNRS_DB, seed, 1_000.0).candidate)
        for seed in (7, 7, 8)
    )

    assert one == two
    assert one != other


def test_confirmed_abnormal_sound_is_compared_with_normal_sound(
    clips: list[SoundFile], machine: OnnxModel, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    soundfile.write(tmp_path / "hiss.wav", rng.normal(0.0, 0.3, 6 * SAMPLE_RATE), SAMPLE_RATE, subtype="PCM_16")
    hiss = SoundFile(tmp_path / "hiss.wav", "hiss.wav", "fan", True, "s9", 10**12, 10**12 + 6 * SECOND_NS)

    figures = figures_of(evaluate(split_of(clips[:4], [*clips[4:], hiss]), machine, {}, SNRS_DB, 7, 1_000.0).candidate)

    assert figures.windows == 15
    assert figures.real_auc == 1.0


def test_a_device_with_too_little_held_out_sound_is_skipped(clips: list[SoundFile], machine: OnnxModel) -> None:
    short = [replace(one, device="press") for one in clips]

    result = evaluate(split_of([*clips[:4], short[0]], [*clips[4:], *short[4:]]), machine, {}, SNRS_DB, 7, 1_000.0)

    assert [one.device for one in result.candidate] == ["fan"]
    assert result.too_short == ("press",)
    with pytest.raises(SettingsError, match="fan: a part of the held-out sound has 3 windows"):
        evaluate(split_of(clips[:1], clips[4:]), machine, {}, SNRS_DB, 7, 1_000.0)


def test_a_room_is_evaluated_with_screams(clips: list[SoundFile]) -> None:
    scream = load_shipped("scream")

    figures = figures_of(
        evaluate(split_of(clips[:4], clips[4:]), scream, {"fan": scream}, (20.0,), 7, 1_000.0).candidate
    )

    assert figures.auc == {"scream +20 dB": figures.mean_auc}
    assert figures.mean_auc > 0.9
