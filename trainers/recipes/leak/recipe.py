"""The leak recipe: loggers on water pipes, by an autoencoder of features that a network learned from made anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from processors.core.audio.recording import rows_of, windows_of
from schemas.errors import InputError, SettingsError, UnusableAudio, WrongLayout
from schemas.manifest import Calibration
from trainers.data.loaders.clip import Clip, digest_of
from trainers.data.loaders.leak import load_leak
from trainers.data.loaders.split import split_by_group
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import best_and_worst
from trainers.evaluation.metrics import auc, quantiles_of
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.progress import track
from trainers.recipe import Trained, with_settings
from trainers.recipes.leak.features import FEATURES, SAMPLE_RATE, SPEC, LeakFeatures
from trainers.recipes.leak.figures import looker, sensitive_latents, traversal
from trainers.recipes.leak.model import LeakNet, Maps, batched, scale_of
from trainers.recipes.leak.network import EXTRACTORS, Extractor
from trainers.recipes.leak.training import MODELS, train_autoencoder, train_extractor
from trainers.training.loop import repeatable

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

NONE = "none"
_SHARES = (0.7, 0.2, 0.1)
_DEVIATIONS = 3.0
_PRESETS: dict[str, dict[str, int | float | str]] = {"small": {"extractor_steps": 40, "steps": 300}}


@dataclass(frozen=True, slots=True)
class LeakOptions:
    """What may be set.

    Attributes:
        features: ``time-frequency``, ``mfcc`` or ``gfcc``.
        extractor: ``mobilenet_v3_large``, ``mobilenet_v2``, ``densenet121``, ``resnet50``, or ``none`` for an
            autoencoder of the features themselves; cepstral coefficients go without one in any case.
        model: ``conv-ae``, ``vae``, ``beta-vae-h`` or ``beta-vae-b``.
        two_sided: ``yes`` lets a score that falls with anomalies become its distance from the usual; ``no`` refuses it.
        extractor_steps, extractor_batch, extractor_rate: of the extractor's training.
        steps, batch, rate: of the autoencoder's; its source gives the convolutional one 3,000 epochs at 1e-4, the
            variational one 40,000 of the whole set at 1e-6.
    """

    features: str = FEATURES[0]
    extractor: str = EXTRACTORS[0]
    model: str = MODELS[0]
    two_sided: str = "yes"
    extractor_steps: int = 300
    extractor_batch: int = 4
    extractor_rate: float = 5e-4
    steps: int = 1_500
    batch: int = 64
    rate: float = 1e-3


class LeakRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Needs recordings named as AudioAnomalyDetection2022 names them. Loggers without a leak are dealt to training (70 %),
    threshold (20 %) and test (10 %), whole loggers each, so that recordings of one place, and copies of one recording,
    never stand on both sides; all leaks are in the test. Recordings of suspected leaks are scored and counted apart.

    The threshold of its report is the mean and three standard deviations of the held-out fifth. For its convolutional
    autoencoder the source took errors *below* the mean less 2.3 deviations for leaks; here the direction is checked.
    """

    name = "leak"
    summary = "water pipes: an autoencoder behind an extractor trained on generated anomalies; needs named recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = with_settings(LeakOptions(), settings, _PRESETS)
        if options.two_sided not in ("yes", "no"):
            raise SettingsError(f"option 'two_sided' is {options.two_sided!r}; yes and no are read")
        if data is None:
            raise InputError("the leak recipe needs --data: a folder of POINT-DEVICE-TIME-LNMMDDDD.wav")
        clips = load_leak(data)
        labels = ("normal", "abnormal", "unknown")
        by_label = {label: [clip for clip in clips if clip.label == label] for label in labels}
        if not by_label["abnormal"]:
            raise WrongLayout(f"{data} holds no recording of a leak (3): nothing would be left to measure with")
        learned, held_out, tested = split_by_group(by_label["normal"], _SHARES, seed)
        heard = {
            name: _windows(some)
            for name, some in (
                ("learned", learned),
                ("held_out", held_out),
                ("normal", tested),
                ("leak", by_label["abnormal"]),
                ("suspected", by_label["unknown"]),
            )
        }
        with repeatable(seed):
            net, losses = fit_net(heard["learned"], seed, options)
        normal_sound = [clip.samples(SAMPLE_RATE) for clip in held_out]
        plain = TorchModel(net, transform="waveform")
        model, direction = ensure_score_direction(plain, SPEC, normal_sound, seed, two_sided=options.two_sided == "yes")
        scores = {name: model.infer(windows)[0].astype(np.float64) for name, windows in heard.items() if len(windows)}
        threshold = float(scores["held_out"].mean() + _DEVIATIONS * scores["held_out"].std())
        report = {
            "options": asdict(options),
            "clips": {name: len(windows) for name, windows in heard.items()},
            "loggers": {
                name: len({clip.group for clip in some})
                for name, some in (("learned", learned), ("held_out", held_out), ("normal", tested))
            },
            **_figures(scores, threshold),
            "source_rule": _source_rule(plain, heard),
        }
        codes = {name: batched(_Codes(net), heard[name]) for name in ("held_out", "leak")}
        sensitive = sensitive_latents(codes["held_out"], codes["leak"])
        report["latents"] = {str(index): round(float(sensitive[index]), 3) for index in np.argsort(-np.abs(sensitive))}
        return Trained(
            name=self.name,
            detector="machine",
            model=model,
            spec=SPEC,
            calibration=Calibration(
                transfer="relative",
                threshold=round(threshold, 4),
                spread=round(max(float(scores["held_out"].std()), 1e-3), 4),
                n=len(scores["held_out"]),
                quantiles=quantiles_of(scores["held_out"]),
            ),
            metrics={name: report[name] for name in ("auc", "accuracy", "leaks_found", "false_alarms")},
            report=report,
            trained_on=f"{len(learned)} recordings of {report['loggers']['learned']} loggers without a leak",
            training_digest=training_digest(digest_of(clips), seed),
            golden=golden_windows(SPEC, seed),
            scores={"normal": np.concatenate([scores["held_out"], scores["normal"]]), "leak": scores["leak"]},
            threshold=threshold,
            losses=losses,
            examples=best_and_worst(
                {
                    "normal": [(heard[name], scores[name]) for name in ("held_out", "normal")],
                    "leak": [(heard["leak"], scores["leak"])],
                },
                looker(net),
            ),
            pictures={"latents": traversal(net.autoencoder, codes["held_out"], sensitive)},
            direction=direction,
        )


def fit_net(windows: Float32, seed: int, options: LeakOptions) -> tuple[LeakNet, dict[str, list[float]]]:
    """Extractor and autoencoder of normal windows; torch's generator must be seeded."""
    features = LeakFeatures(options.features).eval()
    losses = {}
    extractor = None
    if options.features == FEATURES[0] and options.extractor != NONE:
        extractor = Extractor(options.extractor)
        losses["extractor"] = train_extractor(
            extractor,
            features,
            windows,
            seed,
            options.extractor_steps,
            options.extractor_batch,
            options.extractor_rate,
        )
    maps = Maps(extractor, flat=options.model != MODELS[0]).eval()
    found = batched(torch.nn.Sequential(features, maps), windows)
    low, span = scale_of(found)
    scaled = ((found - low) / span).clamp(0.0, 1.0)
    autoencoder, losses["training"] = train_autoencoder(
        options.model, scaled, seed, options.steps, options.batch, options.rate
    )
    return LeakNet(features, maps, autoencoder, low, span).eval(), losses


class _Codes(torch.nn.Module):
    """From windows to codes."""

    def __init__(self, net: LeakNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.net.autoencoder.encode(self.net.scaled(rows))


def _windows(clips: Sequence[Clip]) -> Float32:
    """The first window of each clip, float32 (n, n_frames, n_fft).

    Raises:
        UnusableAudio: one is too short.
    """
    found = [np.empty((0, SPEC.n_frames, SPEC.n_fft), np.float32)]
    for clip in track(clips, "listening"):
        windows = windows_of(rows_of(clip.samples(SAMPLE_RATE), SAMPLE_RATE, SPEC), SPEC)[:1]
        if not len(windows):
            raise UnusableAudio(
                f"{clip.path} lasts {clip.length / clip.sample_rate:.2f} s; {SPEC.window_seconds:g} s are needed:"
                " remove it"
            )
        found.append(windows)
    return np.concatenate(found)


def _figures(scores: Mapping[str, Float64], threshold: float) -> dict[str, Any]:
    normal, leak = scores["normal"], scores["leak"]
    called = int(np.sum(leak > threshold)) + int(np.sum(normal <= threshold))
    figures: dict[str, Any] = {
        "threshold": round(threshold, 4),
        "auc": round(auc(normal, leak), 4),
        "accuracy": round(called / (len(normal) + len(leak)), 4),
        "leaks_found": round(float(np.mean(leak > threshold)), 4),
        "false_alarms": round(float(np.mean(normal > threshold)), 4),
    }
    if "suspected" in scores:
        figures["suspected_called"] = round(float(np.mean(scores["suspected"] > threshold)), 4)
    return figures


def _source_rule(model: TorchModel, heard: Mapping[str, Float32]) -> dict[str, float]:
    """What the source's rule for its autoencoder, an error below the mean less 2.3 deviations, would have called."""
    held_out, normal, leak = (model.infer(heard[name])[0] for name in ("held_out", "normal", "leak"))
    border = float(held_out.mean() - 2.3 * held_out.std())
    return {
        "auc_of_the_error": round(auc(normal, leak), 4),
        "leaks_found": round(float(np.mean(leak < border)), 4),
        "false_alarms": round(float(np.mean(normal < border)), 4),
    }
