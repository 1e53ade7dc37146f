"""Whether a model's score rises where something is wrong: asked in every run, of anomalies that were made for it.

Two of the systems Tocsin grew from shipped with the rule the wrong way round: faults rebuilt better than normal sound,
and "error below the threshold" was taken for an anomaly on one set, "error above it is normal" on another. Neither was
wrong on the recordings it was tuned on. Here a score means the same everywhere, higher is worse, and a model whose
score falls with generated anomalies is turned into its distance from the usual score, or refused.
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

_PLAIN = "plain_score"
_MOST_CLIPS = 24
_SEVERITY_DB = 0.0
_QUIET = 1e-4
_MACHINES = 8


@dataclass(frozen=True, slots=True)
class Direction:
    """What generated anomalies did to a model's score.

    Attributes:
        kind: ``rising`` or ``two-sided``, as the manifest says it.
        rising: share of pairs, a clip as it is and with a generated anomaly, whose score rose; ties count half.
        auc: of clips with anomalies against clips without, over all of them.
        by_anomaly: ``rising`` by kind of anomaly.
        rising_before: the share before the score was made two-sided; the same where it was not.
    """

    kind: Literal["rising", "two-sided"]
    rising: float
    auc: float
    by_anomaly: dict[str, float]
    rising_before: float


class TwoSided:
    """A model whose score is how far another's lies from its usual one; see :class:`trainers.model.Model`.

    Args:
        model: the other.
        centre: its usual score.
    """

    def __init__(self, model: Model, centre: float) -> None:
        self._model = model
        self._centre = np.float32(centre)

    @property
    def parameters(self) -> int:
        """The other's, and the centre."""
        return self._model.parameters + 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """See the protocol."""
        return self._model.outputs

    def predict(self, windows: Float32) -> list[Float32]:
        """See the protocol."""
        score, *others = self._model.predict(windows)
        return [np.abs(score - self._centre), *others]

    def graph(self, example: Float32) -> onnx.ModelProto:
        """The other's graph with a subtraction and an absolute value behind it."""
        model = self._model.graph(example)
        graph = model.graph
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == SCORE_OUTPUT:
                        names[index] = _PLAIN
        graph.initializer.append(helper.make_tensor("usual_score", TensorProto.FLOAT, [], [float(self._centre)]))
        graph.node.append(helper.make_node("Sub", [_PLAIN, "usual_score"], ["off_usual"]))
        graph.node.append(helper.make_node("Abs", ["off_usual"], [SCORE_OUTPUT]))
        return model


def ensure_score_direction(
    model: Model, spec: FeatureSpec, normal: Sequence[Float32], seed: int, *, two_sided: bool = True
) -> tuple[Model, Direction]:
    """A model whose score rises with generated anomalies.

    Args:
        model: as it was trained.
        spec: what it is fed.
        normal: normal sound it did not learn from, float32 (n,) each at ``spec.sample_rate``; two dozen are used.
        seed: of the anomalies.
        two_sided: whether a score that falls may be replaced by its distance from the usual one.

    Returns:
        The model, or its two-sided form, and what was found.

    Raises:
        EmptyAudio: no clip is as long as a window.
        ScoreInverted: generated anomalies score below normal sound, and the two-sided score does not mend it.
    """
    windows = [
        one for clip in normal[:_MOST_CLIPS] if len(one := windows_of(rows_of(clip, spec.sample_rate, spec), spec))
    ]
    if not windows:
        raise EmptyAudio(
            f"none of {len(normal)} normal recordings holds a window of {spec.window_seconds:.2f} s: the score's"
            " direction cannot be checked; give longer ones"
        )
    made = _anomalous_windows(normal[:_MOST_CLIPS], spec, seed)
    found = _found(model, windows, made)
    if found.rising > 0.5:
        return model, found
    if two_sided:
        centre = float(np.median(np.concatenate([model.predict(one)[0] for one in windows])))
        turned = TwoSided(model, centre)
        again = _found(turned, windows, made)
        if again.rising > 0.5:
            return turned, Direction("two-sided", again.rising, again.auc, again.by_anomaly, found.rising)
    raise ScoreInverted(
        f"of generated anomalies {found.rising:.0%} score above the same sound without them; more than half must:"
        " train on more normal sound, longer, or with another recipe"
    )


def generated_anomalies(
    samples: Float32, sample_rate: int, seed: int, severity_db: float = _SEVERITY_DB
) -> dict[str, Float32]:
    """A clip with each kind of fault mixed in.

    Args:
        samples: normal sound, float32 (n,), in [-1, 1].
        sample_rate: Hz.
        seed: of the faults; there are eight sets of them.
        severity_db: the fault's rms relative to the clip's; silence is taken for -80 dBFS.

    Returns:
        By kind of :data:`synthesis.fault.FAULTS`, float32 (n,), in [-1, 1].
    """
    level = max(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), _QUIET)
    length = int(np.ceil(len(samples) * SAMPLE_RATE / sample_rate)) + 1
    mixed = {}
    for fault in _faults(seed % _MACHINES):
        sound = fault.sound.at(int(RAMP_SECONDS * SAMPLE_RATE), length).astype(np.float32)
        heard = resampled(sound, SAMPLE_RATE, sample_rate)[: len(samples)]
        whole = np.pad(heard, (0, len(samples) - len(heard)))
        # At a low rate part of the fault is not heard; what is heard has the level asked for.
        gain = level * 10.0 ** (severity_db / 20.0) / max(float(whole.std()), _QUIET)
        mixed[fault.kind] = np.clip(samples + np.float32(gain) * whole, -1.0, 1.0).astype(np.float32)
    return mixed


@lru_cache(maxsize=_MACHINES)
def _faults(seed: int) -> tuple[Fault, ...]:
    """One of each kind, of one machine: making them takes longer than listening to them."""
    machine = random_machine(seed_of(seed, 0))
    return tuple(random_fault(seed_of(seed, number), machine, kind) for number, kind in enumerate(FAULTS, start=1))


def _anomalous_windows(normal: Sequence[Float32], spec: FeatureSpec, seed: int) -> dict[str, list[Float32]]:
    made: dict[str, list[Float32]] = {kind: [] for kind in FAULTS}
    for number, clip in enumerate(normal):
        for kind, samples in generated_anomalies(clip, spec.sample_rate, seed_of(seed, number)).items():
            windows = windows_of(rows_of(samples, spec.sample_rate, spec), spec)
            if len(windows):
                made[kind].append(windows)
    return made


def _found(model: Model, normal: Sequence[Float32], made: dict[str, list[Float32]]) -> Direction:
    healthy = np.array([_clip_score(model, windows) for windows in normal])
    scores = {kind: np.array([_clip_score(model, windows) for windows in clips]) for kind, clips in made.items()}
    by_anomaly = {
        kind: float(np.mean((values > healthy) + 0.5 * (values == healthy))) for kind, values in scores.items()
    }
    everything = np.concatenate(list(scores.values()))
    above = (everything[:, None] > healthy).mean() + 0.5 * (everything[:, None] == healthy).mean()
    rising = float(np.mean(list(by_anomaly.values())))
    return Direction("rising", rising, float(above), by_anomaly, rising)


def _clip_score(model: Model, windows: Float32) -> float:
    return float(model.predict(windows)[0].astype(np.float64).mean())
