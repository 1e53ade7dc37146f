"""Training of one scream network, averaged over its last steps, and kept so that a broken run can go on."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from schemas.errors import UnreadableInput
from schemas.features import FeatureSpec
from trainers.progress import track
from trainers.recipes.scream.batches import HeardTake, ScreamBatches, augmentations
from trainers.recipes.scream.network_family import ScreamNetwork, network
from trainers.recipes.scream.options import ScreamOptions
from trainers.training.checkpoint import Checkpoint, next_checkpoint
from trainers.training.loop import repeatable, warm_up

_SMOOTHING, _KIND_SMOOTHING = 0.01, 0.05
_CLIP = 5.0
# The mean reaches back about a ninth of the steps.
_AVERAGED_STEPS = 0.11
_BETA_RANGE = 0.05
_FURTHER_STEPS = 5 / 9
# Seeds of folds are neighbours; those of further cycles lie elsewhere.
_SEEDS_APART = 1_000


def trained(heard: Sequence[HeardTake], spec: FeatureSpec, seed: int, options: ScreamOptions, label: str) -> nn.Module:
    """A network in evaluation mode: weights averaged exponentially over the last steps (Polyak and Juditsky 1992).

    Args:
        heard: what to learn from.
        spec: of the features.
        seed: of weights and batches.
        options: see :class:`ScreamOptions`.
        label: stands before the progress bar.
    """
    return _cycles(heard, spec, seed, options, label, lambda _: Checkpoint(None))


def kept(
    heard: Sequence[HeardTake], spec: FeatureSpec, seed: int, options: ScreamOptions, label: str, digest: str
) -> nn.Module:
    """As :func:`trained`, but taken from a checkpoint if the same training was finished before.

    Inside :func:`trainers.training.checkpoint.resumable` each network is kept until the run has ended; in the folder
    that the options name, for good.

    Args:
        heard, spec, seed, options, label: as of :func:`trained`.
        digest: of the recordings.

    Raises:
        UnreadableInput: a checkpoint is not whole.
        OutputError: the folder cannot be written.
    """
    names = sorted(one.take.name for one in heard)

    def checkpoint_of(cycle: int) -> Checkpoint:
        return _kept_for_good(names, cycle, seed, options, digest) if options.checkpoints else next_checkpoint()

    return _cycles(heard, spec, seed, options, label, checkpoint_of)


def _kept_for_good(names: Sequence[str], cycle: int, seed: int, options: ScreamOptions, digest: str) -> Checkpoint:
    """The checkpoint after a cycle, by all that decides what it leads to; how many follow does not."""
    without = ("checkpoints", "search", "cycles")
    chosen = {name: value for name, value in asdict(options).items() if name not in without}
    decided = [chosen, seed, digest, names, *range(1, cycle + 1)]
    key = hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()
    return Checkpoint(Path(options.checkpoints) / f"scream-{key[:20]}.pt")


def _cycles(
    heard: Sequence[HeardTake],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
    label: str,
    checkpoint_of: Callable[[int], Checkpoint],
) -> nn.Module:
    """Trains in cycles (warm restarts: Loshchilov and Hutter 2017); what each has led to is kept."""
    net = network(options.model, options.features, options.width, options.dropout)
    steps, rate = options.steps, options.rate
    for number in range(options.cycles):
        if number > 0:
            steps, rate = max(round(_FURTHER_STEPS * options.steps), 1), rate / 2.0
        checkpoint = checkpoint_of(number)
        if (raw := checkpoint.load()) is not None:
            _restore(net, raw, checkpoint.name, for_good=bool(options.checkpoints))
            continue
        with repeatable(seed + _SEEDS_APART * number):
            if number == 0:
                # Anew: the seed decides its weights too.
                net = network(options.model, options.features, options.width, options.dropout)
            batches = ScreamBatches(
                heard, spec, seed + _SEEDS_APART * number, options.batch, augmentations(options.augment)
            )
            told = label if number == 0 else f"{label}, cycle {number + 1}"
            net = _fitted(net, batches, steps, rate, options, told)
        buffer = io.BytesIO()
        torch.save(net.state_dict(), buffer)
        checkpoint.save(buffer.getvalue())
    return net.eval()


def _restore(net: nn.Module, raw: bytes, name: str, *, for_good: bool) -> None:
    try:
        net.load_state_dict(torch.load(io.BytesIO(raw), weights_only=True))
    except Exception as error:  # torch names no common error of its loader
        way_out = "remove it" if for_good else "it is removed; the same command begins anew"
        raise UnreadableInput(f"{name} is no checkpoint of this run ({error}): {way_out}") from None


def _fitted(
    net: ScreamNetwork, batches: ScreamBatches, steps: int, rate: float, options: ScreamOptions, label: str
) -> ScreamNetwork:
    # Convolutions train faster with channels last.
    net.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    # Serves in training alone: to tell what kind of sound it is teaches what a scream is not.
    kinds = nn.Linear(net.code, len(batches.kinds))
    low, high = max(options.beta1 - _BETA_RANGE, 0.0), min(options.beta1 + _BETA_RANGE, 0.999)
    optimiser = torch.optim.AdamW(
        [*net.parameters(), *kinds.parameters()], lr=rate, betas=(options.beta1, 0.999), weight_decay=options.l2
    )
    # Smith and Topin 2018: the momentum goes against the rate.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=warm_up(steps), base_momentum=low, max_momentum=high
    )
    keep = 1.0 - 1.0 / max(_AVERAGED_STEPS * steps, 2.0)
    net.train()
    for step in track(range(steps), description=label):
        batch = batches.draw()
        optimiser.zero_grad()
        wanted = batch.labels * (1.0 - 2.0 * _SMOOTHING) + _SMOOTHING
        code = net.embed(batch.windows)
        loss = binary_cross_entropy_with_logits(net.decide(code), wanted)
        if options.kinds > 0.0:
            told = cross_entropy(kinds(code), batch.kinds, label_smoothing=_KIND_SMOOTHING)
            loss = loss + options.kinds * told
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
        optimiser.step()
        schedule.step()
        _average(mean, net, min(keep, (1.0 + step) / (10.0 + step)))
    return mean.eval().to(memory_format=torch.contiguous_format)


def _average(mean: nn.Module, net: nn.Module, keep: float) -> None:
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.mul_(keep).add_(new, alpha=1.0 - keep)
            else:
                old.copy_(new)
