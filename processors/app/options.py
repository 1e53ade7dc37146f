"""Worker options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from connections.kafka import KafkaConnection
from processors.adapters.metrics.address import OFF
from schemas.device import DeviceKind


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """One worker process's options.

    Attributes:
        kafka: address and security.
        redis_url: ``redis://host:port/db``.
        group: consumer group; workers of one group share the partitions.
        instance_id: static membership, unique among live workers; None joins dynamically.
        default_kind: the kind of a device without a manifest.
        batch_chunks: most chunks in a batch.
        batch_wait_s: longest time that a chunk waits for its batch to fill, seconds.
        model_store: the store of published models, a folder or ``s3://``.
        model_cache: local folder of the models this worker has fetched; several workers may share it.
        model_trusted: a public key, or a folder of them; when set, only models signed with one of them are loaded.
        detectors: file of further detectors; None for those that ship alone.
        no_sound_s: a device that sends nothing for longer is reported, and its open alerts are closed; seconds.
        metrics: ``host:port`` that metrics are served at, see
            :func:`processors.adapters.metrics.server.serve_metrics`, or ``off``.
        metrics_by_device: whether metrics of sound are labelled with its device.
        memory_mb: bound on the sound and the unfinished windows in memory, MB: a quarter for records fetched and not
            handled, the rest for windows.
        stall_s: a batch that takes longer, or work that waits longer, ends the process; seconds.
    """

    kafka: KafkaConnection
    redis_url: str
    group: str = "tocsin"
    instance_id: str | None = None
    default_kind: DeviceKind = "machine"
    model_store: str = ".tocsin/models"
    model_cache: Path = Path(".tocsin/models-cache")
    model_trusted: Path | None = None
    detectors: Path | None = None
    no_sound_s: float = 600.0
    metrics: str = OFF
    metrics_by_device: bool = False
    batch_chunks: int = 64
    batch_wait_s: float = 0.02
    memory_mb: int = 256
    stall_s: float = 180.0

    @property
    def record_bytes(self) -> int:
        """Most bytes of records fetched and not handled."""
        return self.memory_mb * 250_000

    @property
    def window_bytes(self) -> int:
        """Most bytes of unfinished windows in memory."""
        return self.memory_mb * 750_000
