"""Checks in every training run that a model's score rises with generated anomalies.

Two of the systems Tocsin is based on shipped with an inverted rule: faults were reconstructed better than normal sound,
and one set counted an error below the threshold as an anomaly, another an error above it as normal. Neither was wrong
on the recordings it was tuned on. In Tocsin a higher score always means more anomalous; a model whose score falls with
generated anomalies is converted to its distance from the usual score, or rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import EmptyAudio, ScoreInverted
from schemas.features import FeatureSpec
from schemas.manifest import SCORE_OUTPUT
from synthesis.draws import seed_of
from synthesis.fault import FAULTS, RAMP_SECONDS, Fault, random_fault
from synthesis.machine import random_machine
from synthesis.sound import SAMPLE_RATE
from trainers.data.recordings import resampled
from trainers.model import Model

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_INNER_SCORE = "plain_score"
_MAX_CLIPS = 24
_SEVERITY_DB = 0.0
_SILENCE_RMS = 1e-4
_FAULT_SETS = 8


@dataclass(frozen=True, slots=True)
class Direction:
    """How a model's score reacts to generated anomalies.

    Attributes:
        kind: ``rising`` or ``two-sided``, as in the manifest.
        rising: share of pairs, a clip without and with a generated anomaly, whose score rises; ties count half.
        auc: of all clips with anomalies against all clips without.
        by_anomaly: ``rising`` by kind of anomaly.
        rising_before: ``rising`` before the score was made two-sided; equal to it otherwise.
    """

    kind: Literal["rising", "two-sided"]
    rising: float
    auc: float
    by_anomaly: dict[str, float]
    rising_before: float


class TwoSided:
    """A model whose score is the distance of another model's score from its usual value.

    See :class:`trainers.model.Model`.

    Args:
        model: the other model.
        centre: its usual score.
    """

    def __init__(self, model: Model, centre: float) -> None:
        self._model = model
        self._centre = np.float32(centre)

    @property
    def parameters(self) -> int:
        """The other model's parameters and the centre."""
        return self._model.parameters + 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """See :class:`trainers.model.Model`."""
        return self._model.outputs

    def infer(self, windows: Float32) -> list[Float32]:
        """See :class:`trainers.model.Model`."""
        score, *others = self._model.infer(windows)
        return [np.abs(score - self._centre), *others]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """The other model's graph, followed by a subtraction and an absolute value."""
        model = self._model.graph(example)
        graph = model.graph
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == SCORE_OUTPUT:
                        names[index] = _INNER_SCORE
        graph.initializer.append(helper.make_tensor("usual_score", TensorProto.FLOAT, [], [float(self._centre)]))
        graph.node.append(helper.make_node("Sub", [_INNER_SCORE, "usual_score"], ["off_usual"]))
        graph.node.append(helper.make_node("Abs", ["off_usual"], [SCORE_OUTPUT]))
        return model


def ensure_score_direction(
    model: Model, spec: FeatureSpec, normal: Sequence[Float32], seed: int, *, two_sided: bool = True
) -> tuple[Model, Direction]:
    """Ensures that a model's score rises with generated anomalies.

    Args:
        model: the trained model.
        spec: its features.
        normal: normal clips not used for training, float32 (n,) each at ``spec.sample_rate``; up to 24 are used.
        seed: of the anomalies.
        two_sided: whether a falling score may be replaced by its distance from the usual score.

    Returns:
        The model, or its two-sided form, and its direction.

    Raises:
        EmptyAudio: no clip is as long as a window.
        ScoreInverted: generated anomalies score below normal sound, for the two-sided score too.
    """
    windows = [
        one for clip in normal[:_MAX_CLIPS] if len(one := windows_of(rows_of(clip, spec.sample_rate, spec), spec))
    ]
    if not windows:
        raise EmptyAudio(
            f"none of {len(normal)} normal recordings holds a window of {spec.window_seconds:.2f} s: the score's"
            " direction cannot be checked; give longer ones"
        )
    anomalous = _anomalous_windows(normal[:_MAX_CLIPS], spec, seed)
    found = _direction_of(model, windows, anomalous)
    if found.rising > 0.5:
        return model, found
    if two_sided:
        centre = float(np.median(np.concatenate([model.infer(one)[0] for one in windows])))
        two_sided_model = TwoSided(model, centre)
        again = _direction_of(two_sided_model, windows, anomalous)
        if again.rising > 0.5:
            return two_sided_model, Direction("two-sided", again.rising, again.auc, again.by_anomaly, found.rising)
    raise ScoreInverted(
        f"of generated anomalies {found.rising:.0%} score above the same sound without them; more than half must:"
        " train on more normal sound, longer, or with another recipe"
    )


def generated_anomalies(
    samples: Float32, sample_rate: int, seed: int, severity_db: float = _SEVERITY_DB
) -> dict[str, Float32]:
    """Mixes a clip with each kind of fault.

    Args:
        samples: normal sound, float32 (n,), in [-1, 1].
        sample_rate: Hz.
        seed: of the faults; there are eight different sets.
        severity_db: the fault's rms relative to the clip's; a silent clip counts as -80 dBFS.

    Returns:
        By kind of :data:`synthesis.fault.FAULTS`, float32 (n,), in [-1, 1].
    """
    level = max(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), _SILENCE_RMS)
    length = int(np.ceil(len(samples) * SAMPLE_RATE / sample_rate)) + 1
    mixed = {}
    for fault in _faults(seed % _FAULT_SETS):
        sound = fault.sound.at(int(RAMP_SECONDS * SAMPLE_RATE), length).astype(np.float32)
        audible = resampled(sound, SAMPLE_RATE, sample_rate)[: len(samples)]
        padded = np.pad(audible, (0, len(samples) - len(audible)))
        # A low rate cuts off part of the fault; the rest gets the requested level.
        gain = level * 10.0 ** (severity_db / 20.0) / max(float(padded.std()), _SILENCE_RMS)
        mixed[fault.kind] = np.clip(samples + np.float32(gain) * padded, -1.0, 1.0).astype(np.float32)
    return mixed


@lru_cache(maxsize=_FAULT_SETS)
def _faults(seed: int) -> tuple[Fault, ...]:
    """One fault of each kind, of one machine; cached, since synthesising them is slow."""
    machine = random_machine(seed_of(seed, 0))
    return tuple(random_fault(seed_of(seed, number), machine, kind) for number, kind in enumerate(FAULTS, start=1))


def _anomalous_windows(normal: Sequence[Float32], spec: FeatureSpec, seed: int) -> dict[str, list[Float32]]:
    found: dict[str, list[Float32]] = {kind: [] for kind in FAULTS}
    for number, clip in enumerate(normal):
        for kind, samples in generated_anomalies(clip, spec.sample_rate, seed_of(seed, number)).items():
            windows = windows_of(rows_of(samples, spec.sample_rate, spec), spec)
            if len(windows):
                found[kind].append(windows)
    return found


def _direction_of(model: Model, normal: Sequence[Float32], anomalous: dict[str, list[Float32]]) -> Direction:
    healthy = np.array([_clip_score(model, windows) for windows in normal])
    scores = {kind: np.array([_clip_score(model, windows) for windows in clips]) for kind, clips in anomalous.items()}
    by_anomaly = {
        kind: float(np.mean((values > healthy) + 0.5 * (values == healthy))) for kind, values in scores.items()
    }
    everything = np.concatenate(list(scores.values()))
    above = (everything[:, None] > healthy).mean() + 0.5 * (everything[:, None] == healthy).mean()
    rising = float(np.mean(list(by_anomaly.values())))
    return Direction("rising", rising, float(above), by_anomaly, rising)


def _clip_score(model: Model, windows: Float32) -> float:
    return float(model.infer(windows)[0].astype(np.float64).mean())
