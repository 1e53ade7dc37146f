"""What a judgement rests on: every record of every topic, the group's commits, and samples of the processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Message:
    """One record as the broker gave it.

    Attributes:
        partition, offset: its place in its topic.
        at_ms: the broker's time, milliseconds since 1970.
        key, value: bytes or None.
        headers: name and value in their order.
        digest: sha256 of the value where only its length is kept, as of sound; hexadecimal, else "".
    """

    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the workers' group on the audio topic: everything before ``offset`` is done, at ``at_ms``."""

    partition: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment.

    Attributes:
        at_ms: when, milliseconds since 1970.
        committed, ends: by partition: the group's committed offset and the end of the audio topic; empty while Kafka
            did not answer.
        rss_mib: resident memory by worker, MiB.
        able: whether Kafka answered and at least one ready worker ran unstopped.
    """

    at_ms: int
    committed: Mapping[int, int]
    ends: Mapping[int, int]
    rss_mib: Mapping[str, float]
    able: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What those who ran the schedule say about it; everything else is read from the topics.

    Attributes:
        broken: how many broken records were sent to the audio topic and acknowledged.
        exceptional: devices that break a rule of the contract on purpose, such as two sources under one id: their
            sound is used, or a notice says that it was not.
        ended: workers that ended by themselves, one line each.
        undelivered: chunks that the producers gave up.
    """

    broken: int = 0
    exceptional: frozenset[str] = frozenset()
    ended: tuple[str, ...] = ()
    undelivered: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run.

    Attributes:
        audio, scores, alerts, notices, letters, devices: all records of these topics, by partition and offset.
        commits: in their order.
        samples: one a second.
        models: folders that hold the model files, each ``*.onnx``.
        detectors: the file that describes the detectors, JSON.
        told: see :class:`Told`.
    """

    audio: Sequence[Message]
    scores: Sequence[Message]
    alerts: Sequence[Message]
    notices: Sequence[Message]
    letters: Sequence[Message]
    devices: Sequence[Message]
    commits: Sequence[Commit]
    samples: Sequence[Sample]
    models: Sequence[Path]
    detectors: Path
    told: Told = field(default_factory=Told)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one invariant says of a run.

    Attributes:
        invariant: in words.
        checked: how many things were held against it.
        broken: one line for each that breaks it; none should.
        figure: a measured value to show beside it, or "".
    """

    invariant: str
    checked: int
    broken: tuple[str, ...] = ()
    figure: str = ""
