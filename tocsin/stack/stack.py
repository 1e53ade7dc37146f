"""The local stack: owned by a process, or left running in the background."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.addresses import without_password
from schemas.errors import OutputError, SettingsError, StackBusy, StackError
from tocsin.stack import kafka_probe, ports
from tocsin.stack import redis_service as redis_part
from tocsin.stack.jars import Jars, Progress
from tocsin.stack.kafka_service import KafkaService
from tocsin.stack.locks import LAST_BREATH_S, FolderLock, lock_commands
from tocsin.stack.parts import components_folder
from tocsin.stack.programs import find_java, find_redis
from tocsin.stack.record import Process, ServiceRecord, StackRecord
from tocsin.stack.redis_service import RedisService
from tocsin.stack.service import Hold, Service

ROOM_BYTES = 256 * 1024 * 1024


def _silent(message: str) -> None:
    """Show nothing."""


class Stack:
    """Kafka and Redis in a data folder, or those at the addresses given.

    As a context manager the stack is *owned*: its parts end with the ``with`` block and with this process, however it
    ends (on Linux; on macOS a killed owner leaves them running, and ``down`` or the next start in the folder finds
    them). :meth:`up` leaves it running instead, until :func:`tocsin.stack.background.down`.

    All methods block; from a coroutine call them in a thread. One thread at a time.

    Args:
        data: the data folder; made if missing, its parent included.
        parts: the parts folder; None for the default.
        kafka: bootstrap address of a running Kafka; none is started then.
        redis_url: URL of a running Redis; none is started then.
        kafka_port: port for our Kafka, 1 to 65535; None for the one used last, or any that is free.
        redis_port: the same for our Redis.
        progress: receives a few words on what is being done.

    Raises:
        SettingsError: a port out of range, or the same port twice.
    """

    def __init__(
        self,
        data: Path,
        parts: Path | None = None,
        kafka: str | None = None,
        redis_url: str | None = None,
        kafka_port: int | None = None,
        redis_port: int | None = None,
        progress: Progress = _silent,
    ) -> None:
        for name, port in (("Kafka", kafka_port), ("Redis", redis_port)):
            if port is not None and not 1 <= port <= 65535:
                raise SettingsError(f"port {port} for {name} is not between 1 and 65535")
        if kafka_port is not None and kafka_port == redis_port:
            raise SettingsError(f"Kafka and Redis cannot both have port {kafka_port}")
        self.data = data.absolute()
        self._parts_folder = components_folder(parts)
        self._given = {"kafka": kafka, "redis": redis_url}
        self._asked = {"kafka": kafka_port, "redis": redis_port}
        self._progress = progress
        self._lock = FolderLock(self.data / "lock", f"the data folder {self.data}")
        self._record = StackRecord()
        self._running: dict[str, Service] = {}

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap address, once started."""
        return self._record.parts["kafka"].address

    @property
    def redis_url(self) -> str:
        """Redis's URL, once started."""
        return self._record.parts["redis"].address

    @property
    def kafka(self) -> KafkaService:
        """Our own Kafka, to be killed, ended and started again.

        Raises:
            StackError: it was given, or is not started.
        """
        part = self._running.get("kafka")
        if not isinstance(part, KafkaService):
            raise StackError(f"Kafka at {self._given['kafka']} was not started by this stack")
        return part

    @property
    def redis(self) -> RedisService:
        """Our own Redis, to be killed, ended and started again.

        Raises:
            StackError: it was given, or is not started.
        """
        part = self._running.get("redis")
        if not isinstance(part, RedisService):
            raise StackError("Redis at the address given was not started by this stack")
        return part

    def __enter__(self) -> Self:
        """Start the parts and wait until they answer.

        Raises:
            StackBusy: another stack runs in the data folder.
            ComponentMissing, PortInUse, ServiceDied, OutputError, BrokerUnavailable, RedisUnavailable: as their names
                say.
        """
        self._make_folder()
        with lock_commands(self.data):
            self._start(StackRecord.load(self.data), tie=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def up(self) -> bool:
        """Start the parts and leave them running after this process; False if they all run already.

        A background stack of which a part has died is stopped and started anew.

        Raises:
            StackBusy: the folder belongs to a stack that some process owns, or runs on ports or addresses other than
                those asked for.
            ComponentMissing, PortInUse, ServiceDied, OutputError, BrokerUnavailable, RedisUnavailable: as their names
                say.
        """
        self._make_folder()
        with lock_commands(self.data):
            record = StackRecord.load(self.data)
            if record.mode == "detached":
                if self._matches(record):
                    self._record = record
                    return False
                record.stop(self.data)
            self._start(record, tie=False)
            for part in self._running.values():
                part.let_go()
            self._running.clear()
            self._lock.leave()
        return True

    def check(self) -> None:
        """Raise if a part of ours has ended by itself.

        Raises:
            ServiceDied: with exit code and the end of its log.
        """
        for part in self._running.values():
            part.check()

    def stop(self) -> None:
        """Stop the parts of an owned stack, both at once, and free the folder; nothing if it is stopped already."""
        if not self._running and self._record.mode == "down":
            return
        self._record.mode, self._record.owner, self._record.parts = "down", None, {}
        try:
            self._stop_parts()
            self._record.save(self.data)
        finally:
            self._lock.release()

    def _stop_parts(self) -> None:
        try:
            for part in self._running.values():
                part.request_stop()
            for part in self._running.values():
                part.terminate()
        finally:
            for part in self._running.values():
                part.kill()  # a second Ctrl-C ends the patience, not the stop
            self._running.clear()

    def _make_folder(self) -> None:
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            room = shutil.disk_usage(self.data).free
        except OSError as error:
            raise OutputError(
                f"the data folder {self.data} cannot be made: {error.strerror}; choose another with --data"
            ) from error
        if not os.access(self.data, os.W_OK | os.X_OK):
            raise OutputError(f"the data folder {self.data} cannot be written; choose another with --data")
        if room < ROOM_BYTES:
            raise OutputError(
                f"only {room // 2**20} MiB are free for the data folder {self.data}, {ROOM_BYTES // 2**20} are needed: "
                "make room or choose another with --data"
            )

    def _start(self, record: StackRecord, *, tie: bool) -> None:
        if record.mode == "owned" and record.owner_runs() is None:
            record.stop(self.data)  # its owner was killed, and the system did not end them, or not yet
        # A process just killed may hold the lock a little longer than it is to be seen.
        wait_s = 0.0 if record.owner_runs() or record.processes() else LAST_BREATH_S
        try:
            self._lock.acquire(wait_s)
        except StackBusy:
            raise StackBusy(_busy(self.data, record, self._lock.owner())) from None
        try:
            self._record = record
            self._record.mode = "owned" if tie else "detached"
            self._record.owner = Process.of(os.getpid())
            self._record.parts = {}
            self._reach_given()
            self._running = self._make_parts(Hold(self._lock.fd, tie, self._save))
            self._save()
            for part in self._running.values():
                self._progress(f"starting {part.name} {part.version}")
                part.launch()
            for part in self._running.values():
                self._progress(f"waiting for {part.name} at {part.address}")
                part.wait_ready()
        except BaseException:
            self.stop()
            raise

    def _reach_given(self) -> None:
        bootstrap, redis_url = self._given["kafka"], self._given["redis"]
        if bootstrap is not None:
            self._progress(f"reaching Kafka at {bootstrap}")
            kafka_probe.reach(bootstrap)
        if redis_url is not None:
            self._progress(f"reaching Redis at {without_password(redis_url)}")
            redis_part.reach(redis_url)

    def _make_parts(self, hold: Hold) -> dict[str, Service]:
        # Redis first: it is up before Kafka has formatted its folder.
        made: dict[str, Service] = {}
        if self._given["redis"] is None:
            redis = find_redis()
            port = self._port("redis", "Redis")
            made["redis"] = RedisService(self.data / "redis", port, redis, hold)
        if self._given["kafka"] is None:
            java = find_java()
            jars = Jars(self._parts_folder)
            jars.install(self._progress)
            port, controller = self._port("kafka", "Kafka"), self._port("controller", "Kafka's controller")
            made["kafka"] = KafkaService(self.data / "kafka", port, controller, java, jars, hold)
        return made

    def _port(self, key: str, name: str) -> int:
        asked = self._asked.get(key)
        taken = {port for other, port in self._record.ports.items() if other != key}
        taken |= {port for other, port in self._asked.items() if other != key and port is not None}
        port = ports.require(asked, name) if asked is not None else ports.choose(self._record.ports.get(key), taken)
        self._record.ports[key] = port
        return port

    def _matches(self, record: StackRecord) -> bool:
        # Whether a background stack is whole and is what was asked for; one that is whole and is not is left alone.
        running = record.processes()
        if any(name not in running and not (name in record.parts and record.parts[name].given) for name in self._given):
            return False
        for name, given in self._given.items():
            part, asked = record.parts[name], self._asked[name]
            if (part.given, part.address) != (given is not None, given or part.address) or (
                asked is not None and asked != record.ports.get(name)
            ):
                raise StackBusy(
                    f"a stack runs in {self.data} with {name} at {without_password(part.address)}: "
                    "use it as it is, or stop it first with `tocsin down`"
                )
        return True

    def _save(self) -> None:
        if self._record.mode == "down":  # stopping goes on even where nothing can be written
            return
        parts = {name: ServiceRecord(address=address, given=True) for name, address in self._given.items() if address}
        for name, part in self._running.items():
            process = Process.of(part.pid) if part.pid is not None else None
            parts[name] = ServiceRecord(address=part.address, version=part.version, process=process)
        self._record.parts = parts
        self._record.save(self.data)


def _busy(data: Path, record: StackRecord, taker: int | None) -> str:
    owner = record.owner_runs()
    if owner is not None:
        return f"the data folder {data} is in use by process {owner.pid}: stop that, or choose another with --data"
    pids = ", ".join(f"{name} {process.pid}" for name, process in record.processes().items()) or f"process {taker}"
    return f"the data folder {data} is in use ({pids}): stop it with `tocsin down`, or choose another with --data"
