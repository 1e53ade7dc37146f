"""Does a model pretrained on other machines need less audio of a new one?

The plans of Sound-Anomaly-Detection, with what it lacked: a model from scratch to compare with, shares of the new
machine's audio, several seeds, and confidence intervals.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from schemas.errors import WrongLayout
from synthesis.draws import seed_of
from trainers.data.loaders.clip import Clip
from trainers.data.loaders.mimii import baseline_split
from trainers.evaluation.metrics import auc
from trainers.options import PositiveFloat, PositiveInt, Preset, RecipeOptions
from trainers.progress import bar
from trainers.recipes.mimii_ae.data import vectors_of
from trainers.recipes.mimii_ae.network import VectorAutoencoder
from trainers.training.epochs import Schedule, fit_epochs
from trainers.training.loop import repeatable

SCRATCH = "scratch"
PLANS = ("v1", "v2", "v3", "v4")
"""Pretraining on: one other type; other machines of the same type; two other types; three other types."""

_OTHER_TYPES = {"v1": 1, "v3": 2, "v4": 3}

Weights = Mapping[str, torch.Tensor]


class TransferOptions(RecipeOptions):
    """What may be set.

    Attributes:
        snr: dB; empty: the lowest in the set, as in Sound-Anomaly-Detection.
        shares: of the target's training audio, per cent, separated by commas.
        seeds: runs of each plan.
        epochs, batch, rate: of pretraining and fine-tuning; all layers are tuned.
        least_steps: minimum number of batches of each training. All trainings of a target take as many steps as
            ``epochs`` of all its audio, for every share: otherwise the effect of little audio and of little training
            could not be separated.
        targets: machines of each type to transfer to, the first ones.
        sources: maximum number of combinations of other types per plan and target.
    """

    presets: ClassVar[Mapping[str, Preset]] = {
        "small": {"epochs": 10, "batch": 128, "least_steps": 200, "targets": 1, "sources": 1}
    }

    snr: str = ""
    shares: str = "1,5,20,100"
    seeds: PositiveInt = 5
    epochs: PositiveInt = 50
    batch: PositiveInt = 512
    rate: PositiveFloat = 1e-3
    least_steps: PositiveInt = 400
    targets: PositiveInt = 4
    sources: PositiveInt = 3


@dataclass(frozen=True, slots=True)
class TransferRun:
    """The result of one fine-tuned model.

    Attributes:
        plan: of :data:`PLANS`, or ``scratch``.
        source: machines or types of its pretraining; empty for ``scratch``.
        target: the machine it was fine-tuned and tested on, ``type/id``.
        share: of that machine's training audio, per cent.
        seed: number of the run.
        auc: of clips, 0 to 1.
        tuned_on: number of vectors for fine-tuning.
    """

    plan: str
    source: str
    target: str
    share: float
    seed: int
    auc: float
    tuned_on: int


@dataclass(frozen=True, slots=True, eq=False)
class _Machine:
    kind: str
    unit: str
    train: list[torch.Tensor]
    normal: list[torch.Tensor]
    abnormal: list[torch.Tensor]

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.unit}"


def run_all(clips: Sequence[Clip], options: TransferOptions, shares: Sequence[float], seed: int) -> list[TransferRun]:
    """Runs all plans for all targets, shares and seeds; tests follow the baseline's protocol.

    Args:
        clips: of one SNR, of at least four types for plan v4 and two machines per type for v2.
        options: see :class:`TransferOptions`.
        shares: per cent.
        seed: of all runs.

    Raises:
        WrongLayout: there are too few types or machines, or a machine has too few clips.
        InputError: a clip cannot be used.
    """
    machines = _load_machines(clips)
    kinds = sorted({machine.kind for machine in machines})
    if len(kinds) < 2:
        raise WrongLayout(
            f"clips of {', '.join(kinds)} alone: transfer needs at least two types of machines; add another type"
        )
    targets = [
        machine for kind in kinds for machine in [one for one in machines if one.kind == kind][: options.targets]
    ]
    runs = []
    with bar() as progress:
        task = progress.add_task("transferring", total=options.seeds * len(targets))
        for number in range(options.seeds):
            pretrained: dict[tuple[str, ...], Weights] = {}
            for target in targets:
                steps = max(_steps(torch.cat(target.train), options), options.least_steps)
                for plan, sources in _sources(target, machines, kinds, options.sources):
                    key = tuple(one.name for one in sources)
                    if sources and key not in pretrained:
                        rows = torch.cat([vectors for one in sources for vectors in one.train])
                        pretrained[key] = _train(None, rows, options, options.least_steps, seed_of(seed, number))
                    initial = pretrained.get(key)
                    source = "" if not sources else "+".join(sorted({_name(plan, one) for one in sources}))
                    for share in shares:
                        rows = _part(target, share, seed_of(seed, number))
                        weights = _train(initial, rows, options, steps, seed_of(seed, number))
                        figure = _auc(weights, target)
                        runs.append(TransferRun(plan, source, target.name, share, number, figure, len(rows)))
                progress.advance(task)
    return runs


def _load_machines(clips: Sequence[Clip]) -> list[_Machine]:
    cells: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips:
        cells.setdefault((clip.machine, clip.unit), []).append(clip)
    machines = []
    for (kind, unit), cell in sorted(cells.items()):
        train, test = baseline_split(cell)
        vectors = {clip.name: vectors_of([clip], "first") for clip in (*train, *test)}
        normal = [vectors[clip.name] for clip in test if clip.label == "normal"]
        abnormal = [vectors[clip.name] for clip in test if clip.label == "abnormal"]
        machines.append(_Machine(kind, unit, [vectors[clip.name] for clip in train], normal, abnormal))
    return machines


def _sources(
    target: _Machine, machines: Sequence[_Machine], kinds: Sequence[str], most: int
) -> Iterator[tuple[str, list[_Machine]]]:
    """The pretraining machines of every plan; none for the model from scratch."""
    yield SCRATCH, []
    same_type = [one for one in machines if one.kind == target.kind and one.unit != target.unit]
    if same_type:
        yield "v2", same_type
    others = [kind for kind in kinds if kind != target.kind]
    for plan, count in _OTHER_TYPES.items():
        choices = list(combinations(others, count))
        # Each target starts at another combination, so that every type is a source even with few combinations.
        first = kinds.index(target.kind) % max(len(choices), 1)
        for chosen in (choices[first:] + choices[:first])[:most]:
            yield plan, [one for one in machines if one.kind in chosen]


def _name(plan: str, source: _Machine) -> str:
    return source.name if plan == "v2" else source.kind


def _part(target: _Machine, share: float, seed: int) -> torch.Tensor:
    """The first vectors of the target's clips, shuffled by clip."""
    order = np.random.default_rng(seed).permutation(len(target.train)).tolist()
    rows = torch.cat([target.train[index] for index in order])
    return rows[: max(2, round(len(rows) * share / 100.0))]


def _train(initial: Weights | None, rows: torch.Tensor, options: TransferOptions, steps: int, seed: int) -> Weights:
    with repeatable(seed):
        net = VectorAutoencoder()
        if initial is not None:
            net.load_state_dict(initial)
        schedule = Schedule(1, options.batch, options.rate, least_steps=max(steps, _steps(rows, options)))
        fit_epochs(net, net.loss, rows, rows[:0], schedule, f"{len(rows)} vectors", shown=False)
        return copy.deepcopy(net.state_dict())


def _steps(rows: torch.Tensor, options: TransferOptions) -> int:
    return options.epochs * -(-len(rows) // options.batch)


def _auc(weights: Weights, target: _Machine) -> float:
    net = VectorAutoencoder()
    net.load_state_dict(weights)
    net.eval()
    return auc(_scores(net, target.normal), _scores(net, target.abnormal))


def _scores(net: VectorAutoencoder, clips: Sequence[torch.Tensor]) -> npt.NDArray[np.float64]:
    with torch.no_grad():
        return np.array([float(net.loss(vectors)) for vectors in clips])
