"""The topics: names, partitions, retention and sizes, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_TEN_MIN_MS = HOUR_MS // 6


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is created.

    Attributes:
        name: lowercase, dotted, versioned.
        partitions: how many, unless the topic exists already.
        cleanup: Kafka's ``cleanup.policy``; ``compact,delete`` deletes old records under every key as well.
        retention_ms: how long records stay; ``-1`` for ever.
        max_bytes: Kafka's ``max.message.bytes``.
        key: meaning of the record's key.
        timestamps: ``LogAppendTime`` where the broker's clock must order records, independent of devices' clocks.
        segment_ms: Kafka's ``segment.ms``: only older records are compacted or deleted; None for Kafka's default.
    """

    name: str
    partitions: int
    cleanup: Literal["delete", "compact", "compact,delete"]
    retention_ms: int
    max_bytes: int
    key: str
    timestamps: Literal["CreateTime", "LogAppendTime"] = "CreateTime"
    segment_ms: int | None = None

    def config(self) -> dict[str, str]:
        """Topic configuration by Kafka's names."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": self.timestamps,
            **({} if self.segment_ms is None else {"segment.ms": str(self.segment_ms)}),
        }


AUDIO = Topic("tocsin.audio.v1", 8, "delete", 6 * HOUR_MS, 640 * 1024, "device_id", "LogAppendTime")
SCORES = Topic("tocsin.scores.v1", 8, "delete", 14 * DAY_MS, 256 * 1024, "device_id", "LogAppendTime")
ALERTS = Topic("tocsin.alerts.v1", 8, "delete", 90 * DAY_MS, 256 * 1024, "device_id", "LogAppendTime")
NOTICES = Topic("tocsin.notices.v1", 1, "delete", 90 * DAY_MS, 64 * 1024, "device_id", "LogAppendTime")
ALERT_STATE = Topic("tocsin.alert-state.v1", 8, "compact", -1, 256 * 1024, "device_id/detector")
MODELS = Topic("tocsin.models.v1", 1, "compact", -1, 256 * 1024, "detector/scope")
MODEL_STATUS = Topic("tocsin.model-status.v1", 1, "delete", 30 * DAY_MS, 64 * 1024, "detector/scope")
DEVICES = Topic("tocsin.devices.v1", 1, "compact", -1, 64 * 1024, "device_id")
POLICIES = Topic("tocsin.policies.v1", 1, "compact", -1, 64 * 1024, "detector/scope")
FEEDBACK = Topic("tocsin.feedback.v1", 1, "delete", -1, 64 * 1024, "device_id")
# A dead letter is the original record and a few more headers, however large the original was.
DEADLETTER = Topic("tocsin.deadletter.v1", 8, "delete", 14 * DAY_MS, 2 * 1024 * 1024, "as the original")
# Read whole whenever a worker takes a partition: short segments keep it small.
UNFINISHED = Topic(
    "tocsin.unfinished.v1",
    8,
    "compact,delete",
    AUDIO.retention_ms,
    256 * 1024,
    "device_id",
    "LogAppendTime",
    HOUR_MS // 6,
)

TOPICS = (
    AUDIO, SCORES, ALERTS, NOTICES, ALERT_STATE, MODELS, MODEL_STATUS, DEVICES, POLICIES, FEEDBACK, DEADLETTER,
    UNFINISHED,
)  # fmt: skip
"""All topics, in the order of their creation."""
