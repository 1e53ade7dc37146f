"""A model's manifest: its description, in the ONNX file's ``metadata_props``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.bounds import MAX_INT64, Label, Text
from schemas.device import Name
from schemas.errors import ManifestInvalid
from schemas.features import FeatureSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MANIFEST_KEY = "tocsin.manifest"
GOLDEN_FEATURES_KEY = "tocsin.golden.features"
GOLDEN_SCORES_KEY = "tocsin.golden.scores"

# A model's one input bears its transform's name, "log_mel" or "waveform": float32 (batch, n_frames, width), after level
# normalisation.
SCORE_OUTPUT = "score"
"""Model output: float32 (batch,), higher is more anomalous."""
BANDS_OUTPUT = "bands"
"""Optional output of a model of log-mels: float32 (batch, n_mels), >= 0, each mel band's contribution to the score."""

MAX_GOLDEN_WINDOWS = 64
_MAX_ENTRIES = 1_000


class Calibration(BaseModel):
    """How the model scores normal sound that it was not trained on.

    Attributes:
        transfer: ``absolute`` scores mean the same on every device, so ``threshold`` applies from the first window;
            ``relative`` ones do not, so a threshold is calibrated on each device first; ``own`` ones come from a model
            of this very device: ``threshold`` applies from the first window, and the device's own sound may raise it,
            by six spreads at most.
        threshold: score above which a window counts, before a device has its own.
        spread: the scores' usual spread on normal sound (a standard deviation), > 0.
        n: how many windows this was measured on.
        quantiles: score quantiles on normal sound, by probability as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    transfer: Literal["absolute", "relative", "own"]
    threshold: float
    spread: Annotated[float, Field(gt=0)]
    n: Annotated[int, Field(gt=0, le=MAX_INT64)]
    quantiles: Annotated[dict[Label, float], Field(max_length=_MAX_ENTRIES)]


class Manifest(BaseModel):
    """The description in a model file.

    Attributes:
        model_id: the model's name.
        version: its version, as text.
        detector: its role.
        features: its input.
        features_hash: ``features.hash()`` of the trainer; a reader refuses a file whose hash it cannot reproduce.
        calibration: see :class:`Calibration`.
        trained_on: its training data, for people.
        training_digest: sha256 over the training data.
        code_revision: of the trainer.
        seed: of the training run.
        metrics: measured quality, by name.
        parameters: number of weights.
        direction: what was found with generated anomalies: ``rising``, they score above normal sound; ``two-sided``,
            they scored below it, and the score is now the distance from the usual one; None: files written before
            this was checked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    manifest_version: Literal[1] = 1
    model_id: Name
    version: Name
    detector: Name
    features: FeatureSpec
    features_hash: Label
    calibration: Calibration
    trained_on: Text
    training_digest: Label
    code_revision: Label
    seed: Annotated[int, Field(ge=-MAX_INT64, le=MAX_INT64)]
    metrics: Annotated[dict[Label, float], Field(max_length=_MAX_ENTRIES)]
    parameters: Annotated[int, Field(gt=0, le=MAX_INT64)]
    direction: Literal["rising", "two-sided"] | None = None


def write_metadata(
    manifest: Manifest, features: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]
) -> dict[str, str]:
    """The ``metadata_props`` of an artefact.

    Args:
        manifest: of the model.
        features: golden inputs, float32 (n, n_frames, width), 1 <= n <= 64.
        scores: the model's scores of them, float32 (n,).
    """
    return {
        MANIFEST_KEY: manifest.model_dump_json(),
        GOLDEN_FEATURES_KEY: base64.b64encode(features.astype("<f4").tobytes()).decode(),
        GOLDEN_SCORES_KEY: base64.b64encode(scores.astype("<f4").tobytes()).decode(),
    }


def read_metadata(
    metadata: dict[str, str],
) -> tuple[Manifest, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Manifest, golden features (n, n_frames, width) and golden scores (n,) of an artefact.

    Raises:
        ManifestInvalid: a part is missing or cannot be read.
    """
    import numpy as np  # the client reads calibrations and has no numpy

    missing = [key for key in (MANIFEST_KEY, GOLDEN_FEATURES_KEY, GOLDEN_SCORES_KEY) if key not in metadata]
    if missing:
        raise ManifestInvalid(f"the model file has no {', '.join(missing)}: it was not exported by tocsin's trainers")
    try:
        manifest = Manifest.model_validate_json(metadata[MANIFEST_KEY])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ManifestInvalid(f"manifest: {where}: {first['msg']} (got {first['input']!r:.80})") from None
    try:
        raw = base64.b64decode(metadata[GOLDEN_FEATURES_KEY], validate=True)
        scores = np.frombuffer(base64.b64decode(metadata[GOLDEN_SCORES_KEY], validate=True), dtype="<f4")
        features = np.frombuffer(raw, dtype="<f4").reshape(-1, manifest.features.n_frames, manifest.features.width)
    except (binascii.Error, ValueError) as error:
        raise ManifestInvalid(f"golden vectors cannot be read: {error}") from None
    if not 1 <= len(scores) <= MAX_GOLDEN_WINDOWS or len(scores) != len(features):
        raise ManifestInvalid(f"{len(features)} golden inputs and {len(scores)} scores; 1 to 64 pairs are read")
    return manifest, features, scores
