"""The mimii-ae recipe: MIMII's baseline autoencoder, with its features and its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from schemas.features import FeatureSpec
from trainers.data.loaders.clip import Clip
from trainers.evaluation.examples import MakeExample
from trainers.example import Example
from trainers.recipe import Float32
from trainers.recipes.mimii_ae.data import baseline_clips, vectors_of
from trainers.recipes.mimii_ae.features import SPEC
from trainers.recipes.mimii_ae.network import FRAMES, VectorAutoencoder, VectorErrorScore, to_vectors
from trainers.recipes.mimii_ae.options import MimiiAeOptions
from trainers.recipes.mimii_ae.weights import load_weights
from trainers.recipes.one_class.data import ClipSplit, split_clips
from trainers.recipes.one_class.training import OneClassRecipe, normal_clips_of


class MimiiAeRecipe(OneClassRecipe[MimiiAeOptions, VectorErrorScore]):
    """See :class:`trainers.recipe.Recipe`. Needs a set in one of the layouts, of one machine or of several.

    Published weights are used as they are, or tuned, which is the transfer of Sound-Anomaly-Detection. That system's
    service took an error above its threshold for normal on fans and pumps; here higher is always worse, and checked.
    """

    name = "mimii-ae"
    summary = "MIMII's baseline: a dense autoencoder on five log-mel frames, from normal clips"
    options_type = MimiiAeOptions

    def split(self, clips: Sequence[Clip], options: MimiiAeOptions, seed: int) -> ClipSplit:
        """See :class:`OneClassRecipe`."""
        return split_clips(clips, seed) if options.protocol == "parts" else baseline_clips(clips, seed)

    def spec(self, options: MimiiAeOptions) -> FeatureSpec:  # noqa: ARG002
        """See :class:`OneClassRecipe`."""
        return SPEC

    def build(self, options: MimiiAeOptions) -> VectorErrorScore:  # noqa: ARG002
        """See :class:`OneClassRecipe`."""
        return VectorErrorScore(VectorAutoencoder())

    def load_weights(self, score: VectorErrorScore, path: Path) -> None:
        """See :class:`OneClassRecipe`."""
        load_weights(score.net, path)

    def network_input(self, score: VectorErrorScore, clips: Sequence[Clip], options: MimiiAeOptions) -> torch.Tensor:  # noqa: ARG002
        """See :class:`OneClassRecipe`."""
        return vectors_of(clips, options.channel)

    def trained_on(self, options: MimiiAeOptions, split: ClipSplit) -> str:
        """See :class:`OneClassRecipe`."""
        published = f"weights published by Sound-Anomaly-Detection ({Path(options.weights).name})"
        if not options.trains:
            return f"{published}; threshold from {len(split.sweep)} clips"
        return normal_clips_of(split) + (f", started from {published}" if options.weights else "")

    def example_maker(self, score: VectorErrorScore, options: MimiiAeOptions) -> MakeExample:  # noqa: ARG002
        """See :class:`OneClassRecipe`."""

        def example_of(title: str, value: float, window: Float32) -> Example:
            middle = FRAMES // 2
            columns = slice(middle * SPEC.n_mels, (middle + 1) * SPEC.n_mels)
            with torch.no_grad():
                vectors = to_vectors(torch.tensor(window[None]))
                features, reconstruction = (
                    one[0, :, columns].numpy() for one in (vectors, score.net.reconstruct(vectors))
                )
            return Example(title, value, features, reconstruction, seconds=SPEC.window_seconds)

        return example_of
