"""Settings: one frozen object a process, read once from the environment."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.addresses import without_password
from schemas.device import DeviceKind
from schemas.errors import SettingsError

PREFIX = "TOCSIN_"


class Settings(BaseSettings):
    """What the environment says; options of a command go before.

    Attributes:
        kafka: bootstrap address; None means the local stack's.
        redis_url: None means the local stack's.
        data: folder of the local stack.
        parts: folder of Kafka's jars; None means the environment's own.
        group: consumer group of the workers.
        instance_id: static membership of a single worker; unique among live workers.
        default_kind: what a device without a manifest is taken for.
        log_level: of our own logs.
        model_store: where published models lie, a folder or ``s3://``; None means ``models`` in ``data``.
        model_cache: folder of the models a worker has fetched; None means ``models-cache`` in ``data``.
        model_key: private key that published models are signed with.
        model_trusted: public key, or a folder of them; when set, only models signed with one of them are loaded.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", protected_namespaces=())

    kafka: str | None = Field(default=None, min_length=1)
    redis_url: str | None = Field(default=None, min_length=1)
    data: Path = Path(".tocsin")
    parts: Path | None = None
    group: str = Field(default="tocsin", min_length=1, max_length=200)
    instance_id: str | None = Field(default=None, min_length=1, max_length=200)
    default_kind: DeviceKind = "machine"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    model_store: str | None = Field(default=None, min_length=1)
    model_cache: Path | None = None
    model_key: Path | None = None
    model_trusted: Path | None = None

    @property
    def store(self) -> str:
        """Where published models lie."""
        return self.model_store or str(self.data / "models")

    @property
    def cache(self) -> Path:
        """Where a worker keeps the models it has fetched."""
        return self.model_cache or self.data / "models-cache"


def load_settings() -> Settings:
    """The settings in the environment.

    Raises:
        SettingsError: a ``TOCSIN_`` variable is unknown or its value is not allowed.
    """
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise SettingsError(f"unknown setting {name}: {hint}")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise SettingsError(f"{name}={without_password(str(first['input']))!r}: {first['msg']}") from None
