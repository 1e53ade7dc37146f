"""Training of one scream network, averaged over its last steps, with checkpoints to resume from."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from schemas.errors import UnreadableInput
from schemas.features import FeatureSpec
from trainers.progress import track
from trainers.recipes.scream.batches import AugmentedRecording, ScreamBatches, augmentations
from trainers.recipes.scream.network_family import ScreamNetwork, network
from trainers.recipes.scream.options import ScreamOptions
from trainers.training.checkpoint import Checkpoint, next_checkpoint
from trainers.training.loop import repeatable, warm_up

_SMOOTHING, _KIND_SMOOTHING = 0.01, 0.05
_MAX_GRADIENT_NORM = 5.0
# The moving average covers about a ninth of the steps.
_AVERAGED_STEPS = 0.11
_BETA_RANGE = 0.05
_FURTHER_STEPS = 5 / 9
# Seeds of folds are consecutive; those of further cycles must differ from them.
_CYCLE_SEED_STEP = 1_000


def train_network(
    recordings: Sequence[AugmentedRecording], spec: FeatureSpec, seed: int, options: ScreamOptions, label: str
) -> nn.Module:
    """A network in evaluation mode: weights averaged exponentially over the last steps (Polyak and Juditsky 1992).

    Args:
        recordings: to train on.
        spec: of the features.
        seed: of weights and batches.
        options: see :class:`ScreamOptions`.
        label: of the progress bar.
    """
    return _train_cycles(recordings, spec, seed, options, label, lambda _: Checkpoint(None))


def train_resumable(
    recordings: Sequence[AugmentedRecording],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
    label: str,
    digest: str,
) -> nn.Module:
    """As :func:`train_network`, but loaded from a checkpoint if the same training was finished before.

    Inside :func:`trainers.training.checkpoint.resumable` each network is stored until the run has ended; in the folder
    that the options name, permanently.

    Args:
        recordings, spec, seed, options, label: as of :func:`train_network`.
        digest: of the recordings.

    Raises:
        UnreadableInput: a checkpoint is damaged.
        OutputError: the folder cannot be written.
    """
    names = sorted(one.recording.name for one in recordings)

    def checkpoint_of(cycle: int) -> Checkpoint:
        return _permanent_checkpoint(names, cycle, seed, options, digest) if options.checkpoints else next_checkpoint()

    return _train_cycles(recordings, spec, seed, options, label, checkpoint_of)


def _permanent_checkpoint(
    names: Sequence[str], cycle: int, seed: int, options: ScreamOptions, digest: str
) -> Checkpoint:
    """The checkpoint after a cycle, named by all that determines its weights, not by the number of cycles."""
    relevant = options.model_dump(exclude={"checkpoints", "search", "cycles"})
    identity = [relevant, seed, digest, names, *range(1, cycle + 1)]
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Checkpoint(Path(options.checkpoints) / f"scream-{key[:20]}.pt")


def _train_cycles(
    recordings: Sequence[AugmentedRecording],
    spec: FeatureSpec,
    seed: int,
    options: ScreamOptions,
    label: str,
    checkpoint_of: Callable[[int], Checkpoint],
) -> nn.Module:
    """Trains in cycles (warm restarts: Loshchilov and Hutter 2017), each with a checkpoint."""
    net = network(options.model, options.features, options.width, options.dropout)
    steps, rate = options.steps, options.rate
    for number in range(options.cycles):
        if number > 0:
            steps, rate = max(round(_FURTHER_STEPS * options.steps), 1), rate / 2.0
        checkpoint = checkpoint_of(number)
        if (raw := checkpoint.load()) is not None:
            _restore(net, raw, checkpoint.name, permanent=bool(options.checkpoints))
            continue
        with repeatable(seed + _CYCLE_SEED_STEP * number):
            if number == 0:
                # Built again, since the seed determines its weights too.
                net = network(options.model, options.features, options.width, options.dropout)
            batches = ScreamBatches(
                recordings, spec, seed + _CYCLE_SEED_STEP * number, options.batch, augmentations(options.augment)
            )
            cycle_label = label if number == 0 else f"{label}, cycle {number + 1}"
            net = _fit(net, batches, steps, rate, options, cycle_label)
        buffer = io.BytesIO()
        torch.save(net.state_dict(), buffer)
        checkpoint.save(buffer.getvalue())
    return net.eval()


def _restore(net: nn.Module, raw: bytes, name: str, *, permanent: bool) -> None:
    try:
        net.load_state_dict(torch.load(io.BytesIO(raw), weights_only=True))
    except Exception as error:  # torch has no common error of its loader
        way_out = "remove it" if permanent else "it is removed; the same command starts over"
        raise UnreadableInput(f"{name} is not a checkpoint of this run ({error}): {way_out}") from None


def _fit(
    net: ScreamNetwork, batches: ScreamBatches, steps: int, rate: float, options: ScreamOptions, label: str
) -> ScreamNetwork:
    # Convolutions train faster with channels last.
    net.to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net)
    # Used in training only: classifying the kind of sound helps to tell screams from other sounds.
    kinds = nn.Linear(net.code, len(batches.kinds))
    low, high = max(options.beta1 - _BETA_RANGE, 0.0), min(options.beta1 + _BETA_RANGE, 0.999)
    optimiser = torch.optim.AdamW(
        [*net.parameters(), *kinds.parameters()], lr=rate, betas=(options.beta1, 0.999), weight_decay=options.l2
    )
    # Smith and Topin 2018: momentum falls as the rate rises.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=warm_up(steps), base_momentum=low, max_momentum=high
    )
    decay = 1.0 - 1.0 / max(_AVERAGED_STEPS * steps, 2.0)
    net.train()
    for step in track(range(steps), description=label):
        batch = batches.draw()
        optimiser.zero_grad()
        targets = batch.labels * (1.0 - 2.0 * _SMOOTHING) + _SMOOTHING
        code = net.embed(batch.windows)
        loss = binary_cross_entropy_with_logits(net.decide(code), targets)
        if options.kinds > 0.0:
            kind_loss = cross_entropy(kinds(code), batch.kinds, label_smoothing=_KIND_SMOOTHING)
            loss = loss + options.kinds * kind_loss
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), _MAX_GRADIENT_NORM)
        optimiser.step()
        schedule.step()
        _average(mean, net, min(decay, (1.0 + step) / (10.0 + step)))
    return mean.eval().to(memory_format=torch.contiguous_format)


def _average(mean: nn.Module, net: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if old.dtype.is_floating_point:
                old.mul_(decay).add_(new, alpha=1.0 - decay)
            else:
                old.copy_(new)
