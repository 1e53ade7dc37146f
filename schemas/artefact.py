"""A published model file: its identity, location and signature."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.bounds import Sha256
from schemas.cloudevents import MAX_NS
from schemas.device import Name
from schemas.score import ModelRef

MAX_ARTEFACT_BYTES = 64 * 1024 * 1024


class Artefact(BaseModel):
    """One model file in the store, named by its digest.

    Attributes:
        detector, model_id, version: as in the file's manifest.
        sha256: digest of the file, hexadecimal.
        size: of the file, bytes.
        url: its address, which ends in ``<sha256>.onnx``.
        features_hash: of the manifest, so that a reader knows without fetching whether it can compute the features.
        signature: ed25519 over :meth:`signed_bytes`, base64; None when unsigned.
        published_ns: when it was published, nanoseconds since 1970.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    detector: Name
    model_id: Name
    version: Name
    sha256: Sha256
    size: Annotated[int, Field(gt=0, le=MAX_ARTEFACT_BYTES)]
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    features_hash: Sha256
    signature: Annotated[str, Field(max_length=200)] | None = None
    published_ns: Annotated[int, Field(ge=0, le=MAX_NS)]

    @property
    def ref(self) -> ModelRef:
        """The reference that scores carry."""
        return ModelRef(name=self.model_id, version=self.version, sha256=self.sha256)

    def signed_bytes(self) -> bytes:
        """The bytes that a signature covers: identity and role of the file, not its location."""
        return "\n".join(
            ("tocsin.artefact.v1", self.detector, self.model_id, self.version, self.sha256, str(self.size))
        ).encode()
