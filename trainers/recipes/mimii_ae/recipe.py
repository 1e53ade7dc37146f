"""The mimii-ae recipe: MIMII's baseline autoencoder, with its features and its protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from processors.core.audio.recording import rows_of
from schemas.errors import InputError, SettingsError, UnusableAudio
from schemas.features import FeatureSpec
from trainers.data.loaders.clip import ChannelRule, Clip
from trainers.data.loaders.layout import AUTO, load_clips
from trainers.data.loaders.mimii import baseline_split
from trainers.data.loaders.split import split_by_group
from trainers.data.synthetic_set import is_synthetic
from trainers.example import Example
from trainers.export.torch_model import TorchModel
from trainers.progress import track
from trainers.recipe import Float32, Preset, Trained, with_settings
from trainers.recipes.mimii_ae.network import FRAMES, VectorAutoencoder, WindowError, load_keras, unfolded
from trainers.recipes.one_class.clips import Parts, chosen, parts_of
from trainers.recipes.one_class.trained import TrainedDetector, finalise, hear_judged, machines_in
from trainers.training.epochs import Schedule, fit_epochs
from trainers.training.loop import repeatable

SPEC = FeatureSpec(
    n_fft=1_024,
    win_length=1_024,
    hop=512,
    n_mels=64,
    fmin=0.0,
    log_floor=2.2e-16,
    level="none",
    n_frames=64,
    window_hop=32,
)
"""The baseline's log-mels: 10 log10 of mel power, nothing taken off. Windows are of two seconds; unlike the baseline's,
frames are not centred, so that silence is never put around a recording."""

_LEAST_SECONDS = (SPEC.n_fft + (FRAMES - 1) * SPEC.hop) / SPEC.sample_rate
"""Five frames."""

PROTOCOLS = ("parts", "baseline")

_CHANNELS: dict[str, ChannelRule] = {"mean": "mean", "first": "first"}


@dataclass(frozen=True, slots=True)
class MimiiAeOptions:
    """What may be set.

    Attributes:
        layout, machine, unit, snr, channel: which clips of the set, and which channel of theirs; the baseline takes
            the ``first``, a worker the ``mean``.
        protocol: ``parts`` of the set that share no take, or the ``baseline``'s: of each machine at each SNR as many
            normal clips as there are abnormal ones, the first, are tested on with them.
        epochs, batch, rate, patience, least_steps: see :class:`trainers.training.epochs.Schedule`; the baseline does
            not stop early.
        weights: a published Keras file to begin with.
        tuning: ``yes`` trains, from ``weights`` on where they are given; ``no`` takes these as they are.
    """

    layout: str = AUTO
    machine: str = ""
    unit: str = ""
    snr: str = ""
    channel: str = "first"
    protocol: str = "parts"
    epochs: int = 50
    batch: int = 512
    rate: float = 1e-3
    patience: int = 1_000
    least_steps: int = 1_000
    weights: str = ""
    tuning: str = "yes"


PRESETS: dict[str, Preset] = {"small": {"epochs": 20, "batch": 128, "least_steps": 500}}


class MimiiAeRecipe:
    """See :class:`trainers.recipe.Recipe`. Needs a set in one of the layouts, of one machine or of several.

    Published weights are taken as they are, or tuned, which is the transfer of Sound-Anomaly-Detection. That system's
    service took an error above its threshold for normal on fans and pumps; here higher is always worse, and checked.
    """

    name = "mimii-ae"
    summary = "MIMII's baseline: a dense autoencoder on five log-mel frames, from normal clips"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(MimiiAeOptions(), settings, PRESETS)
        _check(options)
        if data is None:
            raise InputError(
                "the mimii-ae recipe needs --data: a set of normal clips, say of `tocsin dataset synthesize`"
            )
        clips = chosen(load_clips(data, options.layout), options.machine, options.unit, options.snr)
        parts = parts_of(clips, seed) if options.protocol == "parts" else baseline_parts(clips, seed)
        channel = _CHANNELS[options.channel]
        judged = hear_judged(parts, SPEC, channel, seed)
        with repeatable(seed):
            net, losses = _trained(parts, options, channel)

        def look(title: str, score: float, window: Float32) -> Example:
            with torch.no_grad():
                vectors = unfolded(torch.tensor(window[None]))
                middle = slice(2 * SPEC.n_mels, 3 * SPEC.n_mels)
                heard, rebuilt = (one[0, :, middle].numpy() for one in (vectors, net(vectors)))
            return Example(title, score, heard, rebuilt, seconds=SPEC.window_seconds)

        learned = TrainedDetector(
            name=self.name,
            model=TorchModel(WindowError(net).eval(), has_bands=True),
            spec=SPEC,
            parts=parts,
            judged=judged,
            losses=losses,
            synthetic=is_synthetic(data),
            options=asdict(options) | {"weights": Path(options.weights).name},
            words=_words(options, parts),
            look=look,
        )
        return finalise(learned, seed)


def _check(options: MimiiAeOptions) -> None:
    for name, known in (("channel", tuple(_CHANNELS)), ("protocol", PROTOCOLS), ("tuning", ("yes", "no"))):
        if getattr(options, name) not in known:
            raise SettingsError(f"option {name!r} is {getattr(options, name)!r}; there are {', '.join(known)}")
    if options.tuning == "no" and not options.weights:
        raise SettingsError("option 'tuning' is 'no' and there are no weights: name a file with weights=PATH")


def _trained(
    parts: Parts, options: MimiiAeOptions, channel: ChannelRule
) -> tuple[VectorAutoencoder, dict[str, list[float]]]:
    net = VectorAutoencoder()
    if options.weights:
        load_keras(net, Path(options.weights))
    if options.tuning == "no":
        return net, {}
    schedule = Schedule(options.epochs, options.batch, options.rate, options.patience, options.least_steps)
    rows, held = vectors_of(parts.train, channel), vectors_of(parts.validation, channel)
    return net, fit_epochs(net, net.loss, rows, held, schedule, "training")


def _words(options: MimiiAeOptions, parts: Parts) -> str:
    published = f"weights published by Sound-Anomaly-Detection ({Path(options.weights).name})"
    if options.tuning == "no":
        return f"{published}; threshold from {len(parts.sweep)} clips"
    return machines_in(parts) + (f", begun with {published}" if options.weights else "")


def vectors_of(clips: Sequence[Clip], channel: ChannelRule) -> torch.Tensor:
    """All vectors of clips, float32 (n, 320).

    Raises:
        InputError: a clip cannot be used.
    """
    if not clips:
        return torch.empty((0, 5 * SPEC.n_mels))
    parts = []
    for clip in track(clips, f"listening to {len(clips)} clips"):
        frames = rows_of(clip.samples(SPEC.sample_rate, channel), SPEC.sample_rate, SPEC)
        if len(frames) < FRAMES:
            raise UnusableAudio(
                f"{clip.path} lasts {clip.length / clip.sample_rate:.2f} s; {_LEAST_SECONDS:.2f} s are needed:"
                " remove it"
            )
        parts.append(unfolded(torch.tensor(frames)[None])[0])
    return torch.cat(parts)


def baseline_parts(clips: Sequence[Clip], seed: int) -> Parts:
    """The baseline's training and test clips, of each machine at each SNR.

    A fifth of the training clips is kept to stop by and to sweep the threshold with, which the baseline does not need.

    Raises:
        WrongLayout: a machine has no abnormal clip, or too few normal ones.
    """
    cells: dict[tuple[str, str, float | None], list[Clip]] = {}
    for clip in clips:
        cells.setdefault((clip.machine, clip.unit, clip.snr_db), []).append(clip)
    learned, tested = [], []
    for cell in cells.values():
        train, test = baseline_split(cell)
        learned += train
        tested += test
    train, validation, sweep = split_by_group(learned, (0.8, 0.1, 0.1), seed)
    return Parts(train, validation, sweep, tested)
