"""Status and shutdown of a stack that runs in the background."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from connections.kafka import KafkaConnection
from schemas.addresses import without_password
from schemas.errors import AccessDenied, BrokerUnavailable, RedisUnavailable, StackBusy
from tocsin.stack import kafka_probe, redis_service
from tocsin.stack.kafka_service import KafkaService
from tocsin.stack.locks import LOCK_GRACE_S, FolderLock, lock_commands
from tocsin.stack.record import ServiceRecord, StackRecord
from tocsin.stack.service import tail_of

State = Literal["running", "unreachable", "died", "stopped"]

_LOG_NAMES = {"kafka": KafkaService.log_name, "redis": redis_service.RedisService.log_name}


class ServiceStatus(BaseModel):
    """Present state of one service.

    Attributes:
        name: "kafka" or "redis".
        state: ``unreachable``: its process runs, or its address was given, but it does not answer; ``died``: it was
            started and has ended by itself.
        address: bootstrap address or Redis URL, without a password.
        given: whether its address was given, so that it was not started here.
        pid: of a service started here.
        version: of a service started here, and of any Redis that answers.
        memory_bytes: resident set of a service started here.
        data: the service's folder; None if it was given.
        log_end: the last lines of its log, if it died.
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


def status(data: Path, kafka: KafkaConnection | None = None) -> list[ServiceStatus]:
    """State of Kafka and Redis of a data folder; without the folder both are stopped.

    Args:
        data: the data folder.
        kafka: the connection to a Kafka that was not started here; None where there is no security to it.
    """
    data = data.absolute()
    record = StackRecord.load(data)
    return [_service_status(name, record, data, kafka) for name in ("kafka", "redis")]


def down(data: Path) -> list[str]:
    """Stop the services that run in ``data`` and return their names.

    With SIGTERM first, with SIGKILL after a while; a process that merely has a service's former pid is left alone.

    Raises:
        StackBusy: a running process owns the stack; the stack ends with that process.
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
        # Files and ports are free once the last service has released the lock.
        lock = FolderLock(data / "lock", f"the data folder {data}")
        lock.acquire(LOCK_GRACE_S)
        lock.release()
        return stopped


def _service_status(name: str, record: StackRecord, data: Path, given: KafkaConnection | None) -> ServiceStatus:
    recorded = record.services.get(name)
    if recorded is None:
        return ServiceStatus(name=name, state="stopped", data=data / name)
    process = recorded.process.running() if recorded.process is not None else None
    address = without_password(recorded.address)
    if not recorded.given and process is None:
        if recorded.process is None:
            return ServiceStatus(name=name, state="stopped", address=address, data=data / name)
        end = tail_of(data / name, _LOG_NAMES[name])
        return ServiceStatus(name=name, state="died", address=address, data=data / name, log_end=end)
    version = _probed_version(name, recorded, given if recorded.given else None)
    memory = None
    with suppress(psutil.Error):
        memory = process.memory_info().rss if process is not None else None
    return ServiceStatus(
        name=name,
        state="unreachable" if version is None else "running",
        address=address,
        given=recorded.given,
        pid=process.pid if process is not None else None,
        version=version or recorded.version,
        memory_bytes=memory,
        data=None if recorded.given else data / name,
    )


def _probed_version(name: str, recorded: ServiceRecord, given: KafkaConnection | None) -> str | None:
    # The version (empty if unknown), or None if the service does not answer.
    try:
        if name == "redis":
            return redis_service.reach(recorded.address, timeout_s=2.0)
        kafka_probe.reach(recorded.kafka() if given is None else given, timeout_s=2.0)
    except (AccessDenied, BrokerUnavailable, RedisUnavailable):
        return None
    return recorded.version
