"""The local stack: owned by a process, or running in the background."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from connections.kafka import KafkaConnection
from schemas.addresses import without_password
from schemas.errors import OutputError, SettingsError, StackBusy, StackError
from tocsin.stack import kafka_probe, ports, redis_service
from tocsin.stack.install_lock import Progress
from tocsin.stack.jars import Jars
from tocsin.stack.kafka_service import KafkaService
from tocsin.stack.locks import LOCK_GRACE_S, FolderLock, lock_commands
from tocsin.stack.parts import components_folder
from tocsin.stack.programs import find_java, find_redis
from tocsin.stack.record import Process, ServiceRecord, StackRecord
from tocsin.stack.redis_service import RedisService
from tocsin.stack.service import Service, ServiceTies

MIN_FREE_BYTES = 256 * 1024 * 1024


def _silent(message: str) -> None:
    """Show nothing."""


class Stack:
    """Kafka and Redis in a data folder, or those at the addresses given.

    As a context manager the stack is *owned*: its services end with the ``with`` block and with this process, however
    it ends (on Linux; on macOS a killed owner leaves them running, and ``down`` or the next start in the folder finds
    them). :meth:`up` leaves them running instead, until :func:`tocsin.stack.background.down`.

    All methods block; from a coroutine call them in a thread. One thread at a time.

    Args:
        data: the data folder; created if missing, with its parents.
        components: folder of the fetched components; None for the default.
        kafka: the connection to a running Kafka to use instead of starting one.
        redis_url: URL of a running Redis to use instead of starting one.
        kafka_port: port for our Kafka, 1 to 65535; None for the last one, or any free one.
        redis_port: the same for our Redis.
        progress: called with a few words on each step.

    Raises:
        SettingsError: a port is out of range, or the same for both.
    """

    def __init__(
        self,
        data: Path,
        components: Path | None = None,
        kafka: KafkaConnection | str | None = None,
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
        self._components_folder = components_folder(components)
        self._given_kafka = None if kafka is None else KafkaConnection.of(kafka)
        self._given = {"kafka": None if kafka is None else str(kafka), "redis": redis_url}
        self._requested = {"kafka": kafka_port, "redis": redis_port}
        self._progress = progress
        self._lock = FolderLock(self.data / "lock", f"the data folder {self.data}")
        self._record = StackRecord()
        self._running: dict[str, Service] = {}

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap address, once started."""
        return self._record.services["kafka"].address

    @property
    def connection(self) -> KafkaConnection:
        """The connection to Kafka, once started."""
        return self._given_kafka or self._record.services["kafka"].kafka()

    @property
    def redis_url(self) -> str:
        """Redis's URL, once started."""
        return self._record.services["redis"].address

    @property
    def redis_admin_url(self) -> str:
        """URL of the Redis of this stack for the user who may administer it.

        Raises:
            StackError: its address was given, or it is not started.
        """
        return self.redis.admin_address

    @property
    def kafka(self) -> KafkaService:
        """The Kafka of this stack, to stop, kill and restart.

        Raises:
            StackError: its address was given, or it is not started.
        """
        service = self._running.get("kafka")
        if not isinstance(service, KafkaService):
            raise StackError(f"Kafka at {self._given['kafka']} was not started by this stack")
        return service

    @property
    def redis(self) -> RedisService:
        """The Redis of this stack, to stop, kill and restart.

        Raises:
            StackError: its address was given, or it is not started.
        """
        service = self._running.get("redis")
        if not isinstance(service, RedisService):
            raise StackError("Redis at the address given was not started by this stack")
        return service

    def __enter__(self) -> Self:
        """Start the services and wait until they answer.

        Raises:
            StackBusy: another stack runs in the data folder.
            ComponentMissing, PortInUse, ServiceDied, OutputError, BrokerUnavailable, RedisUnavailable: see
                :mod:`schemas.errors`.
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
        """Start the services and leave them running after this process; False if all of them run already.

        A background stack in which a service has died is stopped and started again.

        Raises:
            StackBusy: another process owns the stack, or it runs on other ports or addresses than requested.
            ComponentMissing, PortInUse, ServiceDied, OutputError, BrokerUnavailable, RedisUnavailable: see
                :mod:`schemas.errors`.
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
            for service in self._running.values():
                service.detach()
            self._running.clear()
            self._lock.leave()
        return True

    def check(self) -> None:
        """Raise if a service of this stack has ended by itself.

        Raises:
            ServiceDied: the message has its exit code and the end of its log.
        """
        for service in self._running.values():
            service.check()

    def stop(self) -> None:
        """Stop the services of an owned stack, both at once, and unlock the folder; does nothing if already stopped."""
        if not self._running and self._record.mode == "down":
            return
        self._record.mode, self._record.owner, self._record.services = "down", None, {}
        try:
            self._stop_services()
            self._record.save(self.data)
        finally:
            self._lock.release()

    def _stop_services(self) -> None:
        try:
            for service in self._running.values():
                service.request_stop()
            for service in self._running.values():
                service.terminate()
        finally:
            for service in self._running.values():
                service.kill()  # a second Ctrl-C cuts the wait short, but still stops everything
            self._running.clear()

    def _make_folder(self) -> None:
        try:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(self.data).free
        except OSError as error:
            raise OutputError(
                f"the data folder {self.data} cannot be created: {error.strerror}; choose another with --data"
            ) from error
        if not os.access(self.data, os.W_OK | os.X_OK):
            raise OutputError(f"the data folder {self.data} cannot be written; choose another with --data")
        if free < MIN_FREE_BYTES:
            raise OutputError(
                f"only {free // 2**20} MiB are free for the data folder {self.data}, {MIN_FREE_BYTES // 2**20} needed:"
                " free some disk space or choose another with --data"
            )

    def _start(self, record: StackRecord, *, tie: bool) -> None:
        if record.mode == "owned" and record.owner_runs() is None:
            record.stop(self.data)  # its owner was killed, and the system has not ended the services
        # A process that was just killed may hold the lock a little longer than it is visible.
        wait_s = 0.0 if record.owner_runs() or record.processes() else LOCK_GRACE_S
        try:
            self._lock.acquire(wait_s)
        except StackBusy:
            raise StackBusy(_busy(self.data, record, self._lock.owner())) from None
        try:
            self._record = record
            self._record.mode = "owned" if tie else "detached"
            self._record.owner = Process.of(os.getpid())
            self._record.services = {}
            self._reach_given()
            self._running = self._make_services(ServiceTies(self._lock.fd, tie, self._save))
            self._save()
            for service in self._running.values():
                self._progress(f"starting {service.name} {service.version}")
                service.launch()
            for service in self._running.values():
                self._progress(f"waiting for {service.name} at {service.address}")
                service.wait_ready()
        except BaseException:
            self.stop()
            raise

    def _reach_given(self) -> None:
        redis_url = self._given["redis"]
        if self._given_kafka is not None:
            self._progress(f"reaching Kafka at {self._given_kafka}")
            kafka_probe.reach(self._given_kafka)
        if redis_url is not None:
            self._progress(f"reaching Redis at {without_password(redis_url)}")
            redis_service.reach(redis_url)

    def _make_services(self, ties: ServiceTies) -> dict[str, Service]:
        # Redis first: it is ready before Kafka has formatted its folder.
        services: dict[str, Service] = {}
        if self._given["redis"] is None:
            redis = find_redis(self._components_folder, self._progress)
            port = self._port("redis", "Redis")
            services["redis"] = RedisService(self.data / "redis", port, redis, ties)
        if self._given["kafka"] is None:
            java = find_java()
            jars = Jars(self._components_folder)
            jars.install(self._progress)
            port, controller = self._port("kafka", "Kafka"), self._port("controller", "Kafka's controller")
            services["kafka"] = KafkaService(self.data / "kafka", port, controller, java, jars, ties)
        return services

    def _port(self, key: str, name: str) -> int:
        requested = self._requested.get(key)
        taken = {port for other, port in self._record.ports.items() if other != key}
        taken |= {port for other, port in self._requested.items() if other != key and port is not None}
        last = self._record.ports.get(key)
        port = ports.require(requested, name) if requested is not None else ports.choose(last, taken)
        self._record.ports[key] = port
        return port

    def _matches(self, record: StackRecord) -> bool:
        # Whether a background stack is complete and as requested; a complete one that is not as requested is refused.
        running = record.processes()
        given_names = {name for name, service in record.services.items() if service.given}
        if any(name not in running and name not in given_names for name in self._given):
            return False
        for name, given in self._given.items():
            service, port = record.services[name], self._requested[name]
            if (service.given, service.address) != (given is not None, given or service.address) or (
                port is not None and port != record.ports.get(name)
            ):
                raise StackBusy(
                    f"a stack runs in {self.data} with {name} at {without_password(service.address)}: "
                    "use it as it is, or stop it first with `tocsin down`"
                )
        return True

    def _save(self) -> None:
        if self._record.mode == "down":  # the services are stopped even if nothing can be written
            return
        services = {
            name: ServiceRecord(address=address, given=True) for name, address in self._given.items() if address
        }
        for name, service in self._running.items():
            process = Process.of(service.pid) if service.pid is not None else None
            services[name] = ServiceRecord(address=service.address, version=service.version, process=process)
            if isinstance(service, KafkaService):
                login = service.connection
                password_file = None if login.password is None else login.password.file
                services[name] = services[name].model_copy(
                    update={"mechanism": login.mechanism, "username": login.username, "password_file": password_file}
                )
        self._record.services = services
        self._record.save(self.data)


def _busy(data: Path, record: StackRecord, holder: int | None) -> str:
    owner = record.owner_runs()
    if owner is not None:
        return (
            f"the data folder {data} is in use by process {owner.pid}: stop that process, or choose another with --data"
        )
    pids = ", ".join(f"{name} {process.pid}" for name, process in record.processes().items()) or f"process {holder}"
    return f"the data folder {data} is in use ({pids}): stop it with `tocsin down`, or choose another with --data"
