"""The source of assigned models: fetched, checked, loaded and warmed up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib import metadata
from weakref import WeakValueDictionary

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.models.cache import ModelCache
from processors.adapters.models.check.artefact import CHECKS, CheckLimits, check_artefact
from processors.adapters.models.onnx_model import MAX_BATCH, OnnxModel, load_model
from processors.adapters.models.signing import verify
from processors.core.models.assignments import Target
from schemas.artefact import Artefact
from schemas.errors import ModelRefused

_FETCH_S = 20.0


class ModelSource:
    """Makes assigned models ready to score. Its calls block; several threads may call it.

    Args:
        store: of published models.
        cache: of fetched ones.
        trusted: keys of which one must have signed a model; without any, signatures are not checked.
        limits: of the check.
    """

    def __init__(
        self,
        store: ArtefactStore,
        cache: ModelCache,
        trusted: Sequence[Ed25519PublicKey] = (),
        limits: CheckLimits | None = None,
    ) -> None:
        self._cache = cache
        self._store = store
        self._trusted = tuple(trusted)
        self._limits = limits or CheckLimits()
        versions = f"tocsin {metadata.version('tocsin')}, onnxruntime {metadata.version('onnxruntime')}"
        self._checker = f"{versions}, {CHECKS}, {self._limits}"
        self._loaded: WeakValueDictionary[str, OnnxModel] = WeakValueDictionary()
        self._lock = threading.Lock()

    def obtain(self, artefact: Artefact) -> OnnxModel:
        """The model, from the cache or else from the store.

        Raises:
            ModelRefused: it does not pass; the class names why.
            StoreUnavailable: it is not in the cache and cannot be fetched from the store.
            UnreadableInput: it was removed from the cache meanwhile.
        """
        verify(artefact, self._trusted)
        self._store.fetch(artefact, self._cache.folder, self._limits.file_bytes, _FETCH_S)
        return self._ready(artefact)

    def recall(self, artefact: Artefact) -> OnnxModel:
        """The model from the cache alone.

        Raises:
            ModelRefused: it does not pass, or is not cached.
            UnreadableInput: it was removed meanwhile.
        """
        verify(artefact, self._trusted)
        return self._ready(artefact)

    def last_good(self, target: Target) -> Artefact | None:
        """See :meth:`ModelCache.last_good`."""
        return self._cache.last_good(target)

    def remember(self, target: Target, artefact: Artefact | None) -> None:
        """See :meth:`ModelCache.remember`."""
        self._cache.remember(target, artefact)

    def failure(self, target: Target, revision: int, artefact: Artefact) -> ModelRefused | None:
        """See :meth:`ModelCache.failure`."""
        return self._cache.failure(target, revision, artefact)

    def note_failure(self, target: Target, revision: int, artefact: Artefact, error: ModelRefused) -> None:
        """See :meth:`ModelCache.note_failure`."""
        self._cache.note_failure(target, revision, artefact, error)

    def _ready(self, artefact: Artefact) -> OnnxModel:
        path, sha256 = self._cache.path(artefact.sha256), artefact.sha256
        checked = self._cache.is_checked(artefact, self._checker)
        with self._lock:
            model = self._loaded.get(sha256)
        if checked and model is not None:
            return model
        if not checked:
            check_artefact(path, artefact, self._limits, self._trusted)
            self._cache.note_checked(artefact, self._checker)
        model = load_model(path, sha256)
        # The first batch of the largest size allocates memory and selects kernels: here, not in the stream's time.
        model.score(np.zeros((MAX_BATCH, model.spec.n_frames, model.spec.width), np.float32))
        with self._lock:
            self._loaded[sha256] = model
            used = set(self._loaded)
        path.touch()
        self._cache.evict(used)
        return model
