"""Settings of a process, read from TOCSIN_ environment variables."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from connections.kafka import Mechanism, Protocol
from schemas.addresses import without_password
from schemas.device import DeviceKind
from schemas.errors import SettingsError

PREFIX = "TOCSIN_"
DEFAULT_METRICS = "127.0.0.1:9464"
_OLD_COMPONENTS = "TOCSIN_PARTS"
"""Former name of TOCSIN_COMPONENTS; still accepted."""


class Settings(BaseSettings):
    """Settings from the environment; a command's options take precedence. An empty variable counts as unset.

    Attributes:
        kafka: bootstrap address; None is the local stack's.
        kafka_protocol: Kafka's ``security.protocol``; None is ``SASL_SSL`` where a user or token is set, ``SSL`` where
            a CA or certificate is, else ``PLAINTEXT``.
        kafka_mechanism: of SASL; None is ``OAUTHBEARER`` where a token is set, else ``SCRAM-SHA-512``.
        kafka_username: of SCRAM and PLAIN; the client's id at a token endpoint.
        kafka_password: of SCRAM and PLAIN; the client's secret at a token endpoint. Better in a file.
        kafka_password_file: holds the password or secret; read again for every connection.
        kafka_token_file: holds an access token for OAUTHBEARER; read again for every connection.
        kafka_token_url: token endpoint for OAUTHBEARER, ``https://``.
        kafka_token_scope: scope asked for at the token endpoint.
        kafka_ca_file: PEM file of the authorities that Kafka's certificate is checked with; None is the system's.
        kafka_certificate_file: PEM file of the client's own certificate, for mutual TLS.
        kafka_key_file: PEM file of its private key, unless the certificate's file holds it.
        kafka_key_password_file: holds the password of an encrypted key.
        redis_url: URL of Redis; None is the local stack's.
        redis_username: user of Redis's access rules; instead of one in the URL.
        redis_password_file: holds the password; instead of one in the URL.
        redis_ca_file: PEM file of the authorities that Redis's certificate is checked with, for ``rediss://``.
        redis_certificate_file: PEM file of the client's own certificate, for mutual TLS.
        redis_key_file: PEM file of its private key.
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

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", protected_namespaces=()
    )

    kafka: str | None = Field(default=None, min_length=1)
    kafka_protocol: Protocol | None = None
    kafka_mechanism: Mechanism | None = None
    kafka_username: str | None = Field(default=None, min_length=1)
    kafka_password: SecretStr | None = Field(default=None, min_length=1)
    kafka_password_file: Path | None = None
    kafka_token_file: Path | None = None
    kafka_token_url: str | None = Field(default=None, min_length=1)
    kafka_token_scope: str = ""
    kafka_ca_file: Path | None = None
    kafka_certificate_file: Path | None = None
    kafka_key_file: Path | None = None
    kafka_key_password_file: Path | None = None
    redis_url: str | None = Field(default=None, min_length=1)
    redis_username: str | None = Field(default=None, min_length=1)
    redis_password_file: Path | None = None
    redis_ca_file: Path | None = None
    redis_certificate_file: Path | None = None
    redis_key_file: Path | None = None
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
        shown = "" if "PASSWORD" in name else f"={without_password(str(first['input']))!r}"
        raise SettingsError(f"{name}{shown}: {first['msg']}") from None
