"""The leak recipe: loggers on water pipes, by an autoencoder of features trained on generated anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from schemas.errors import InputError, WrongLayout
from schemas.manifest import Calibration
from trainers.data.loaders.clip import digest_of
from trainers.data.loaders.leak import load_leak
from trainers.data.loaders.split import split_by_group
from trainers.evaluation.direction import ensure_score_direction
from trainers.evaluation.examples import best_and_worst
from trainers.evaluation.metrics import auc, quantiles_of
from trainers.export.golden import golden_windows
from trainers.export.provenance import training_digest
from trainers.export.torch_model import TorchModel
from trainers.recipe import Trained
from trainers.recipes.leak.data import first_windows
from trainers.recipes.leak.features import SAMPLE_RATE, SPEC, LeakFeatures
from trainers.recipes.leak.figures import example_maker, latent_shifts, latent_traversal
from trainers.recipes.leak.model import AutoencoderInput, LeakNet, apply_in_batches, scale_of
from trainers.recipes.leak.network import Extractor
from trainers.recipes.leak.options import LeakOptions
from trainers.recipes.leak.training import train_autoencoder, train_extractor
from trainers.training.loop import repeatable

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_SHARES = (0.7, 0.2, 0.1)
_THRESHOLD_SPREADS = 3.0
_SOURCE_SPREADS = 2.3


class LeakRecipe:
    """See :class:`trainers.recipe.Recipe`.

    Needs recordings named as AudioAnomalyDetection2022 names them. Loggers without a leak are split into training
    (70 %), threshold (20 %) and test (10 %), so that recordings of one location, and copies of one recording, are never
    in two parts; all leaks are in the test. Recordings of suspected leaks are scored and counted separately.

    The threshold of its report is the mean plus three standard deviations of the held-out fifth. For its convolutional
    autoencoder the source took errors *below* the mean minus 2.3 deviations for leaks; here the direction is checked.
    """

    name = "leak"
    summary = "water pipes: an autoencoder behind an extractor trained on generated anomalies; needs named recordings"

    def train(self, data: Path | None, seed: int, settings: Mapping[str, str]) -> Trained:
        """See :class:`trainers.recipe.Recipe`."""
        options = LeakOptions.parse(settings)
        if data is None:
            raise InputError("the leak recipe needs --data: a folder of POINT-DEVICE-TIME-LNMMDDDD.wav")
        clips = load_leak(data)
        labels = ("normal", "abnormal", "unknown")
        by_label = {label: [clip for clip in clips if clip.label == label] for label in labels}
        if not by_label["abnormal"]:
            raise WrongLayout(f"{data} holds no recording of a leak (3): nothing could be measured")
        train, held_out, test = split_by_group(by_label["normal"], _SHARES, seed)
        windows = {
            name: first_windows(group)
            for name, group in (
                ("learned", train),
                ("held_out", held_out),
                ("normal", test),
                ("leak", by_label["abnormal"]),
                ("suspected", by_label["unknown"]),
            )
        }
        with repeatable(seed):
            net, losses = fit_net(windows["learned"], seed, options)
        normal_sound = [clip.samples(SAMPLE_RATE) for clip in held_out]
        one_sided = TorchModel(net, transform="waveform")
        model, direction = ensure_score_direction(
            one_sided, SPEC, normal_sound, seed, two_sided=options.two_sided == "yes"
        )
        scores = {name: model.infer(rows)[0].astype(np.float64) for name, rows in windows.items() if len(rows)}
        threshold = float(scores["held_out"].mean() + _THRESHOLD_SPREADS * scores["held_out"].std())
        report = {
            "options": options.model_dump(),
            "clips": {name: len(rows) for name, rows in windows.items()},
            "loggers": {
                name: len({clip.group for clip in group})
                for name, group in (("learned", train), ("held_out", held_out), ("normal", test))
            },
            **_figures(scores, threshold),
            "source_rule": _source_rule(one_sided, windows),
        }
        codes = {name: apply_in_batches(_Encoder(net), windows[name]) for name in ("held_out", "leak")}
        shifts = latent_shifts(codes["held_out"], codes["leak"])
        report["latents"] = {str(index): round(float(shifts[index]), 3) for index in np.argsort(-np.abs(shifts))}
        return Trained(
            name=self.name,
            detector="leak",
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
            trained_on=f"{len(train)} recordings of {report['loggers']['learned']} loggers without a leak",
            training_digest=training_digest(digest_of(clips), seed),
            golden=golden_windows(SPEC, seed),
            scores={"normal": np.concatenate([scores["held_out"], scores["normal"]]), "leak": scores["leak"]},
            threshold=threshold,
            losses=losses,
            examples=best_and_worst(
                {
                    "normal": [(windows[name], scores[name]) for name in ("held_out", "normal")],
                    "leak": [(windows["leak"], scores["leak"])],
                },
                example_maker(net),
            ),
            pictures={"latents": latent_traversal(net.autoencoder, codes["held_out"], shifts)},
            direction=direction,
        )


def fit_net(windows: Float32, seed: int, options: LeakOptions) -> tuple[LeakNet, dict[str, list[float]]]:
    """Trains extractor and autoencoder on normal windows; torch's generator must be seeded."""
    features = LeakFeatures(options.features).eval()
    losses = {}
    extractor = None
    if options.features == "time-frequency" and options.extractor != "none":
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
    maps = AutoencoderInput(extractor, flat=options.model != "conv-ae").eval()
    inputs = apply_in_batches(torch.nn.Sequential(features, maps), windows)
    low, span = scale_of(inputs)
    scaled = ((inputs - low) / span).clamp(0.0, 1.0)
    autoencoder, losses["training"] = train_autoencoder(
        options.model, scaled, seed, options.steps, options.batch, options.rate
    )
    return LeakNet(features, maps, autoencoder, low, span).eval(), losses


class _Encoder(torch.nn.Module):
    """From windows to codes."""

    def __init__(self, net: LeakNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.net.autoencoder.encode(self.net.scaled(rows))


def _figures(scores: Mapping[str, Float64], threshold: float) -> dict[str, Any]:
    normal, leak = scores["normal"], scores["leak"]
    correct = int(np.sum(leak > threshold)) + int(np.sum(normal <= threshold))
    figures: dict[str, Any] = {
        "threshold": round(threshold, 4),
        "auc": round(auc(normal, leak), 4),
        "accuracy": round(correct / (len(normal) + len(leak)), 4),
        "leaks_found": round(float(np.mean(leak > threshold)), 4),
        "false_alarms": round(float(np.mean(normal > threshold)), 4),
    }
    if "suspected" in scores:
        figures["suspected_called"] = round(float(np.mean(scores["suspected"] > threshold)), 4)
    return figures


def _source_rule(model: TorchModel, windows: Mapping[str, Float32]) -> dict[str, float]:
    """Figures of the source's rule for its autoencoder: an error below the mean minus 2.3 deviations is a leak."""
    held_out, normal, leak = (model.infer(windows[name])[0] for name in ("held_out", "normal", "leak"))
    threshold = float(held_out.mean() - _SOURCE_SPREADS * held_out.std())
    return {
        "auc_of_the_error": round(auc(normal, leak), 4),
        "leaks_found": round(float(np.mean(leak < threshold)), 4),
        "false_alarms": round(float(np.mean(normal < threshold)), 4),
    }
