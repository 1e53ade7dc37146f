"""Tocsin's public API: score arrays and files, publish audio, follow alerts, give feedback, train and publish models.

Everything listed in ``__all__`` is public and stays compatible within a major version; all other modules may change.
Names are loaded on first use, so ``import tocsin`` alone reads no scientific library and takes milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin import schemas
    from tocsin.api.alerts import alerts
    from tocsin.api.feedback import send_feedback
    from tocsin.api.models import publish_model, train_model
    from tocsin.api.publisher import Publisher
    from tocsin.api.scorer import ScoredWindow, Scorer, score_file

__all__ = [
    "Publisher",
    "ScoredWindow",
    "Scorer",
    "alerts",
    "publish_model",
    "schemas",
    "score_file",
    "send_feedback",
    "train_model",
]

_MODULES = {
    "Publisher": "tocsin.api.publisher",
    "ScoredWindow": "tocsin.api.scorer",
    "Scorer": "tocsin.api.scorer",
    "alerts": "tocsin.api.alerts",
    "publish_model": "tocsin.api.models",
    "schemas": "tocsin.schemas",
    "score_file": "tocsin.api.scorer",
    "send_feedback": "tocsin.api.feedback",
    "train_model": "tocsin.api.models",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'tocsin' has no attribute {name!r}; it has {', '.join(__all__)}")
    try:
        module = import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        from tocsin.extras import name_missing

        if (missing := name_missing(name, error)) is None:
            raise
        raise missing from error
    value = module if name == "schemas" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
