"""Machines, faults, screams and harmless events, each by its characteristic."""

from __future__ import annotations

import numpy as np
import pytest

from synthesis.draws import uniforms
from synthesis.fault import FAULTS, RAMP_SECONDS, random_fault
from synthesis.harmless import HARMLESS, harmless
from synthesis.impacts import Impacts, Resonance
from synthesis.machine import KINDS, random_machine
from synthesis.noise import Noise
from synthesis.room import random_room
from synthesis.scream import scream, varied_scream
from synthesis.sound import rms
from synthesis.spectra import band, tilted

SECOND = 16_000


@pytest.mark.parametrize("kind", list(KINDS))
def test_machines_of_a_kind_differ_by_seed(kind: str) -> None:
    one, other = random_machine(1, kind), random_machine(2, kind)
    assert one.kind == other.kind == kind
    assert one.shaft_hz != other.shaft_hz
    for machine in (one, other):
        assert 20.0 * np.log10(rms(machine.sound)) == pytest.approx(machine.level_dbfs, abs=0.1)
        assert machine.level_dbfs < -19.9


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_fault_begins_at_its_onset_and_reaches_its_severity(kind: str) -> None:
    machine = random_machine(3, "motor")
    fault = random_fault(4, machine, kind)
    faulty = fault.onto(machine, SECOND, -6.0)
    difference = faulty.at(0, 6 * SECOND) - machine.sound.at(0, 6 * SECOND)
    assert not difference[:SECOND].any()
    assert difference[SECOND : 2 * SECOND].any()
    settled = difference[int((1.0 + RAMP_SECONDS) * SECOND) :].std()
    assert 20.0 * np.log10(settled) == pytest.approx(machine.level_dbfs - 6.0, abs=1.0)


def test_unknown_kinds_are_rejected() -> None:
    with pytest.raises(KeyError, match="toaster"):
        random_machine(1, "toaster")
    with pytest.raises(KeyError, match="gremlin"):
        random_fault(1, random_machine(1), "gremlin")
    with pytest.raises(KeyError, match="silence"):
        harmless(1, "silence")


def test_noise_has_the_requested_spectrum() -> None:
    samples = Noise(5, band(1_000.0, 2_000.0)).at(0, 8 * SECOND)
    assert samples.std() == pytest.approx(1.0, abs=0.03)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1.0 / SECOND)
    inside = power[(hz > 800.0) & (hz < 2_500.0)].sum()
    assert inside / power.sum() > 0.9


def test_noise_does_not_depend_on_the_cuts() -> None:
    noise = Noise(6, tilted(-6.0))
    whole = noise.at(-5_000, 12_000)
    assert np.array_equal(noise.at(-5_000 + 4_321, 777), whole[4_321 : 4_321 + 777])


def test_impacts_come_at_their_rate() -> None:
    train = Impacts(1, 0.05, (Resonance(3_000.0, 0.002),), jitter=0.0, scatter_db=0.0)
    envelope = np.abs(train.at(0, 4 * SECOND))
    spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))
    hz = np.fft.rfftfreq(len(envelope), 1.0 / SECOND)
    assert hz[np.argmax(spectrum[hz < 30.0])] == pytest.approx(20.0, abs=0.3)


def test_draws_are_uniform_and_independent_of_order() -> None:
    index = np.arange(20_000, dtype=np.int64)
    draws = uniforms(9, index)
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.var() == pytest.approx(1.0 / 12.0, abs=0.002)
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.03
    assert np.array_equal(uniforms(9, index[::-1]), draws[::-1])


@pytest.mark.parametrize("seed", range(6))
def test_a_scream_is_high_loud_and_of_its_length(seed: int) -> None:
    samples = scream(seed)
    assert 1.0 * SECOND <= len(samples) <= 3.0 * SECOND
    assert np.abs(samples).max() == pytest.approx(1.0)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1.0 / SECOND)
    assert power[hz > 500.0].sum() / power.sum() > 0.8
    assert power[hz > 2_500.0].sum() / power.sum() > 0.005
    assert len(scream(seed, 2.0)) >= 2 * SECOND


@pytest.mark.parametrize("kind", list(HARMLESS))
def test_harmless_events_differ_by_seed_and_are_finite(kind: str) -> None:
    one, other = harmless(1, kind), harmless(2, kind)
    assert np.isfinite(one).all()
    assert np.abs(one).max() == pytest.approx(1.0)
    assert not np.array_equal(one[:4_000], other[:4_000])
    assert np.array_equal(harmless(1, kind), one)


def test_rooms_hold_talk_over_a_quiet_floor() -> None:
    levels = []
    for seed in range(4):
        samples = random_room(seed).at(0, 24 * SECOND)
        frames = samples[: len(samples) // 1_600 * 1_600].reshape(-1, 1_600)
        level = 20.0 * np.log10(frames.std(axis=1))
        levels.append(np.percentile(level, 95) - np.percentile(level, 5))
    assert np.median(levels) > 10.0


def test_varied_screams_differ_in_pitch_and_length_and_repeat_by_seed() -> None:
    screams = [varied_scream(seed) for seed in range(24)]
    assert all(np.abs(samples).max() == pytest.approx(1.0) for samples in screams)
    assert np.array_equal(screams[3], varied_scream(3))
    lengths = np.array([len(samples) for samples in screams]) / SECOND
    assert lengths.min() < 1.2
    assert lengths.max() > 2.5
    centres = []
    for samples in screams:
        power = np.abs(np.fft.rfft(samples)) ** 2
        centres.append(float((power * np.fft.rfftfreq(len(samples), 1.0 / SECOND)).sum() / power.sum()))
    assert max(centres) > 2.0 * min(centres)
