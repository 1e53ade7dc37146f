"""A stack that runs in the background, seen and stopped from another process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from schemas.addresses import without_password
from schemas.errors import BrokerUnavailable, RedisUnavailable, StackBusy
from tocsin.stack import kafka_probe
from tocsin.stack import redis_service as redis_part
from tocsin.stack.kafka_service import KafkaService
from tocsin.stack.locks import LAST_BREATH_S, FolderLock, lock_commands
from tocsin.stack.record import ServiceRecord, StackRecord
from tocsin.stack.service import tail_of

State = Literal["running", "unreachable", "died", "stopped"]

_LOG_NAMES = {"kafka": KafkaService.log_name, "redis": redis_part.RedisService.log_name}


class ServiceStatus(BaseModel):
    """One part as it is now.

    Attributes:
        name: "kafka" or "redis".
        state: ``unreachable``: its process runs, or it was given, but it does not answer; ``died``: it was started,
            not stopped, and runs no more.
        address: bootstrap address or Redis URL, without a password.
        given: whether it was given and not started here.
        pid: of our own part.
        version: of our own part, and of any Redis that answers.
        memory_bytes: resident set of our own part.
        data: the part's folder; None for one that was given.
        log_end: the last lines of its log, where it died.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    address: str | None = None
    given: bool = False
    pid: int | None = None
    version: str = ""
    memory_bytes: int | None = None
    data: Path | None = None
    log_end: str | None = None


def status(data: Path) -> list[ServiceStatus]:
    """Kafka and Redis of a data folder, whoever started them; a folder that is not there has both stopped."""
    data = data.absolute()
    record = StackRecord.load(data)
    return [_part_status(name, record, data) for name in ("kafka", "redis")]


def down(data: Path) -> list[str]:
    """Stop what runs in ``data`` and return the names of the parts that were stopped.

    In order at first (SIGTERM), by force after a while; a process that merely has a part's old pid is left alone.

    Raises:
        StackBusy: a live process owns the stack; it is stopped with that process.
        OutputError: the folder cannot be written.
    """
    data = data.absolute()
    if not data.is_dir():
        return []
    with lock_commands(data):
        record = StackRecord.load(data)
        owner = record.owner_runs()
        if owner is not None:
            raise StackBusy(f"the stack in {data} belongs to process {owner.pid}: stop that process")
        stopped = record.stop(data)
        # Only when the last of them has let go of the folder are its files and ports free.
        lock = FolderLock(data / "lock", f"the data folder {data}")
        lock.acquire(LAST_BREATH_S)
        lock.release()
        return stopped


def _part_status(name: str, record: StackRecord, data: Path) -> ServiceStatus:
    part = record.parts.get(name)
    if part is None:
        return ServiceStatus(name=name, state="stopped", data=data / name)
    process = part.process.running() if part.process is not None else None
    address = without_password(part.address)
    if not part.given and process is None:
        if part.process is None:
            return ServiceStatus(name=name, state="stopped", address=address, data=data / name)
        end = tail_of(data / name, _LOG_NAMES[name])
        return ServiceStatus(name=name, state="died", address=address, data=data / name, log_end=end)
    version = _answering(name, part)
    memory = None
    with suppress(psutil.Error):
        memory = process.memory_info().rss if process is not None else None
    return ServiceStatus(
        name=name,
        state="unreachable" if version is None else "running",
        address=address,
        given=part.given,
        pid=process.pid if process is not None else None,
        version=version or part.version,
        memory_bytes=memory,
        data=None if part.given else data / name,
    )


def _answering(name: str, part: ServiceRecord) -> str | None:
    # Its version (empty where it does not tell), or None when it does not answer.
    try:
        if name == "redis":
            return redis_part.reach(part.address, timeout_s=2.0)
        kafka_probe.reach(part.address, timeout_s=2.0)
    except (BrokerUnavailable, RedisUnavailable):
        return None
    return part.version
