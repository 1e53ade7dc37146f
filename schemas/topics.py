"""The topics: names, partitions, retention and sizes, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is created.

    Attributes:
        name: lowercase, dotted, versioned.
        partitions: how many, unless the topic exists already.
        cleanup: Kafka's ``cleanup.policy``.
        retention_ms: how long records stay; ``-1`` for ever.
        max_bytes: Kafka's ``max.message.bytes``.
        key: meaning of the record's key.
        timestamps: ``LogAppendTime`` where the broker's clock must order records, independent of devices' clocks.
    """

    name: str
    partitions: int
    cleanup: Literal["delete", "compact"]
    retention_ms: int
    max_bytes: int
    key: str
    timestamps: Literal["CreateTime", "LogAppendTime"] = "CreateTime"

    def config(self) -> dict[str, str]:
        """Topic configuration by Kafka's names."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": self.timestamps,
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

TOPICS = (AUDIO, SCORES, ALERTS, NOTICES, ALERT_STATE, MODELS, MODEL_STATUS, DEVICES, POLICIES, FEEDBACK, DEADLETTER)
"""All topics, in the order of their creation."""
