"""Settings of a process, read from TOCSIN_ environment variables."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.addresses import without_password
from schemas.device import DeviceKind
from schemas.errors import SettingsError

PREFIX = "TOCSIN_"
DEFAULT_METRICS = "127.0.0.1:9464"
_OLD_COMPONENTS = "TOCSIN_PARTS"
"""Former name of TOCSIN_COMPONENTS; still accepted."""


class Settings(BaseSettings):
    """Settings from the environment; a command's options take precedence.

    Attributes:
        kafka: bootstrap address; None is the local stack's.
        redis_url: URL of Redis; None is the local stack's.
        data: folder of the local stack.
        components: folder of fetched components, such as Kafka's jars; None is the virtual environment's own.
        group: consumer group of the workers.
        instance_id: static group membership of a single worker; unique among running workers.
        default_kind: kind assumed for a device without a manifest.
        memory_mb: bound on the sound and the unfinished windows that a worker process holds in memory, MB; the process
            itself takes some 200 more.
        log_level: of Tocsin's own logs.
        model_store: location of published models, a folder or ``s3://``; None is ``models`` in ``data``.
        model_cache: folder of the models that a worker has fetched; None is ``models-cache`` in ``data``.
        model_key: private key to sign published models with.
        model_trusted: public key, or a folder of them; when set, only models signed with one of them are loaded.
        detectors: JSON file of further detectors; the same for workers and commands.
        no_sound_minutes: a device that sends nothing for longer is reported, and its open alerts are closed.
        metrics: HOST:PORT that workers, producers and retraining serve ``/metrics``, ``/live`` and ``/ready`` at, or
            ``off``; several processes of a machine take this port and the next free ones.
        metrics_devices: whether metrics of sound are labelled with their device, one time series each.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", protected_namespaces=())

    kafka: str | None = Field(default=None, min_length=1)
    redis_url: str | None = Field(default=None, min_length=1)
    data: Path = Path(".tocsin")
    components: Path | None = Field(default=None, validation_alias=AliasChoices(f"{PREFIX}COMPONENTS", _OLD_COMPONENTS))
    group: str = Field(default="tocsin", min_length=1, max_length=200)
    instance_id: str | None = Field(default=None, min_length=1, max_length=200)
    default_kind: DeviceKind = "machine"
    memory_mb: int = Field(default=256, ge=32, le=65_536)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    model_store: str | None = Field(default=None, min_length=1)
    model_cache: Path | None = None
    model_key: Path | None = None
    model_trusted: Path | None = None
    detectors: Path | None = None
    no_sound_minutes: float = Field(default=10.0, gt=0)
    metrics: str = DEFAULT_METRICS
    metrics_devices: bool = False

    @property
    def store(self) -> str:
        """Location of published models."""
        return self.model_store or str(self.data / "models")

    @property
    def cache(self) -> Path:
        """Folder of the models that a worker has fetched."""
        return self.model_cache or self.data / "models-cache"


def load_settings() -> Settings:
    """The settings in the environment.

    Raises:
        SettingsError: a ``TOCSIN_`` variable is unknown or its value is not allowed.
    """
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in (*known, _OLD_COMPONENTS):
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
            raise SettingsError(f"unknown setting {name}: {hint}")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper().removeprefix(PREFIX)
        raise SettingsError(f"{name}={without_password(str(first['input']))!r}: {first['msg']}") from None
