"""The records that travel on Tocsin's topics, and the errors that reading them raises."""

from __future__ import annotations

from schemas.alert import Alert, AudioSpan, Band
from schemas.assignment import Assignment, ModelStatus
from schemas.chunk import Chunk, decode_chunk, encode_chunk
from schemas.device import Device
from schemas.errors import ContractError, TocsinError, UserError
from schemas.feedback import AlertFeedback, DeviceFeedback
from schemas.health_notice import HealthNotice
from schemas.manifest import Manifest
from schemas.notice import Notice
from schemas.policy import Policy
from schemas.record import Record
from schemas.score import ModelRef, Score, ScoreExplanation
from schemas.topics import TOPICS, Topic

__all__ = [
    "TOPICS",
    "Alert",
    "AlertFeedback",
    "Assignment",
    "AudioSpan",
    "Band",
    "Chunk",
    "ContractError",
    "Device",
    "DeviceFeedback",
    "HealthNotice",
    "Manifest",
    "ModelRef",
    "ModelStatus",
    "Notice",
    "Policy",
    "Record",
    "Score",
    "ScoreExplanation",
    "TocsinError",
    "Topic",
    "UserError",
    "decode_chunk",
    "encode_chunk",
]
