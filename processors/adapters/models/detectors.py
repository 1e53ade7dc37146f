"""The detectors: those that ship, and those of a user's file."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from processors.core.alerting.detectors import Detector
from schemas.detector import DetectorEntry
from schemas.device import Name
from schemas.errors import SettingsError

_MAX_BYTES = 1_000_000
_SECOND_NS = 1_000_000_000
_FILE = TypeAdapter(dict[Name, DetectorEntry])


def load_detectors(path: Path | None = None) -> dict[str, Detector]:
    """Detectors by name: those that ship, then those of a file.

    Args:
        path: a JSON file that maps names to :class:`schemas.detector.DetectorEntry`; None for those that ship alone.

    Raises:
        SettingsError: the file cannot be read, is not such a mapping, or uses the name of a detector that ships.
    """
    shipped = _shipped()
    if path is None:
        return dict(shipped)
    own = _parsed(_read(path), str(path))
    for name, detector in own.items():
        if name in shipped:
            raise SettingsError(f"{path}: detector {name!r} ships with Tocsin: choose another name")
        if detector.default_model is not None:
            raise SettingsError(
                f"{path}: {name}: default_model {detector.default_model!r} is for models that ship: leave it out and"
                " publish the model with `tocsin models publish`"
            )
    return {**shipped, **own}


@cache
def _shipped() -> dict[str, Detector]:
    folder = resources.files("processors.shipped_models")
    return _parsed((folder / "detectors.json").read_bytes(), "detectors.json")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"detectors file {str(path)!r} cannot be read: {error.strerror or error}") from None
    if len(raw) > _MAX_BYTES:
        raise SettingsError(f"detectors file {str(path)!r} is larger than {_MAX_BYTES:,} bytes")
    return raw


def _parsed(raw: bytes, source: str) -> dict[str, Detector]:
    try:
        entries = _FILE.validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ": ".join(filter(None, (source, ".".join(str(part) for part in first["loc"]))))
        raise SettingsError(f"{where}: {first['msg']} (got {first['input']!r:.80})") from None
    return {name: _detector(name, entry) for name, entry in entries.items()}


def _detector(name: str, entry: DetectorEntry) -> Detector:
    return Detector(
        name=name,
        min_confirmations=entry.min_confirmations,
        window_count=entry.window_count,
        release_ns=round(entry.release_s * _SECOND_NS),
        hysteresis=entry.hysteresis,
        cooldown_ns=round(entry.cooldown_s * _SECOND_NS),
        update_ns=round(entry.update_s * _SECOND_NS),
        sustained=entry.sustained,
        title=entry.title,
        kinds=entry.kinds,
        default_model=entry.default_model,
    )
