"""Pictures of a leak model: what each latent represents, and windows with their reconstructions."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from trainers.evaluation.examples import MakeExample
from trainers.example import Example
from trainers.recipes.leak.features import SAMPLE_RATE, SPEC
from trainers.recipes.leak.model import Autoencoder, LeakNet

Float64 = npt.NDArray[np.float64]

_STEPS = np.linspace(-3.0, 3.0, 7)
_LATENTS = 6
_HEADING = (
    "Reconstruction at the mean of normal sound, and left and right its change (red: more) as one latent moves;\n"
    "the latents in which leaks differ most, strongest first; sd: of normal sound; low frequencies at the bottom"
)


def latent_shifts(normal: torch.Tensor, leaking: torch.Tensor) -> Float64:
    """Mean difference of leaks from normal sound in each latent, in standard deviations of normal sound, float64 (30,).

    Args:
        normal, leaking: codes float32 (n, 30).
    """
    spread = normal.std(dim=0).clamp(min=1e-6)
    return ((leaking.mean(dim=0) - normal.mean(dim=0)) / spread).numpy().astype(np.float64)


def latent_traversal(autoencoder: Autoencoder, normal: torch.Tensor, shifts: Float64) -> bytes:
    """A PNG: what changes with the latents that differ most, from -3 to 3 standard deviations of normal sound.

    Args:
        autoencoder: its decoder is used.
        normal: codes of normal sound, float32 (n, 30).
        shifts: of leaks, float64 (30,); the latents of the largest absolute values are shown.
    """
    chosen = np.argsort(-np.abs(shifts))[:_LATENTS]
    mean, spread = normal.mean(dim=0), normal.std(dim=0)
    figure = Figure(figsize=(1.3 * len(_STEPS), 1.3 * len(chosen)), layout="constrained")
    grid = figure.subplots(len(chosen), len(_STEPS), squeeze=False)
    figure.suptitle(_HEADING, fontsize=9)
    for row, latent in enumerate(chosen):
        codes = mean.repeat(len(_STEPS), 1)
        codes[:, latent] += torch.from_numpy(_STEPS.astype(np.float32)) * spread[latent]
        with torch.no_grad():
            decoded = autoencoder.decode(codes).numpy()
        images = [_image(one) for one in decoded]
        middle = images[len(images) // 2]
        limit = max(float(np.max(np.abs(np.stack(images) - middle))), 1e-6)
        for column, image in enumerate(images):
            axes = grid[row][column]
            if column == len(images) // 2:
                axes.imshow(middle, origin="lower", aspect="auto")
            else:
                # The change is small beside the image: only their difference can be seen.
                axes.imshow(image - middle, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit)
            axes.set_xticks([])
            axes.set_yticks([])
            if row == 0:
                axes.set_title(f"{_STEPS[column]:+g} sd", fontsize=8)
            if column == 0:
                axes.set_ylabel(f"latent {latent:d}, ± {limit:.2g}", fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def example_maker(net: LeakNet) -> MakeExample:
    """Makes examples of windows: their sound, and the autoencoder's input and output.

    Images are shown as they are; activations with their channels side by side, a row for each position.
    """

    def example_of(title: str, score: float, window: npt.NDArray[np.float32]) -> Example:
        with torch.no_grad():
            maps = net.scaled(torch.from_numpy(np.array(window[None])))
            features, reconstruction = (_to_rows(one[0].numpy()) for one in (maps, net.autoencoder(maps)))
        image = net.maps.extractor is None
        return Example(
            title,
            score,
            features,
            reconstruction,
            columns="row of the image" if image else "channel of the activations",
            unit="scaled, 0 to 1",
            seconds=SPEC.window_seconds if image else 0.0,
            samples=window.ravel(),
            sample_rate=SAMPLE_RATE,
        )

    return example_of


def _to_rows(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """An image (1, height, width) as (width, height); activations (channels, ...) as (positions, channels)."""
    return maps[0].T if len(maps) == 1 else maps.reshape(len(maps), -1).T


def _image(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """An image of a map (channels, height, width): itself, its mean over channels, or its channels in rows."""
    channels, height, width = maps.shape
    if channels == 1:
        return np.asarray(maps[0])
    if height * width > 1:
        return np.asarray(maps.mean(axis=0))
    across = int(np.ceil(np.sqrt(channels)))
    padded = np.zeros(across * across, np.float32)
    padded[:channels] = maps.ravel()
    return padded.reshape(across, across)
