"""The Redis server of the stack."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from connections.redis import redis_denial
from schemas.addresses import reason, without_password
from schemas.errors import RedisUnavailable, SettingsError
from tocsin.stack.passwords import password_in, write_private
from tocsin.stack.ports import HOST
from tocsin.stack.programs import Program
from tocsin.stack.service import Service, ServiceTies

LOG = "redis.log"
LOG_BYTES = 10 * 1024 * 1024
# Every write goes to the append-only file, which is synced to disk every second: a crash loses at most one second.
# Paths are relative, so that no character in the data folder's name can break them.
SETTINGS = f"""\
bind {HOST}
protected-mode yes
daemonize no
dir ./
logfile {LOG}
loglevel notice
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


USER, ADMIN = "tocsin", "admin"
PASSWORD, ADMIN_PASSWORD = "password", "admin-password"  # files
# Whoever may set the folder that Redis writes to, load a module or follow another server writes files as its owner.
# Other accounts of the machine reach the port, but have no password; our commands need none of these rights.
RULES = f"""\
user default off
user {USER} on #{{user}} ~* &* +@all -@admin -@dangerous +info +flushall +flushdb +keys
user {ADMIN} on #{{admin}} ~* &* +@all
"""


class RedisService(Service):
    """redis-server or valkey-server on 127.0.0.1, data in its own folder (mode 0700).

    Clients are the user ``tocsin``, without the commands that administer the server. Those are for the user ``admin``,
    whose password is in the file ``admin-password``.
    """

    name: ClassVar[str] = "Redis"
    log_name: ClassVar[str] = LOG

    def __init__(self, folder: Path, port: int, program: Program, ties: ServiceTies) -> None:
        super().__init__(folder, port, ties)
        self._program = program

    @property
    def address(self) -> str:
        return self._url(USER, PASSWORD)

    @property
    def admin_address(self) -> str:
        """Address of the user ``admin``."""
        return self._url(ADMIN, ADMIN_PASSWORD)

    def _url(self, user: str, file: str) -> str:
        return f"redis://{user}:{password_in(self.folder / file)}@{HOST}:{self.port}/0"

    @property
    def version(self) -> str:
        return self._program.version

    def _prepare(self) -> None:
        digests = {
            name: hashlib.sha256(password_in(self.folder / file).encode()).hexdigest()
            for name, file in (("user", PASSWORD), ("admin", ADMIN_PASSWORD))
        }
        write_private(self.folder / "redis.conf", f"{SETTINGS}port {self.port}\n{RULES.format(**digests)}")
        log = self.folder / LOG
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))

    def _command(self) -> list[str]:
        return [str(self._program.path), "redis.conf"]

    def _probe(self) -> bool:
        try:
            with _client(self.address, 1.0) as client:
                # PING fails while Redis loads its data; the pid distinguishes our server from another on the port.
                return bool(client.ping()) and client.info("server")["process_id"] == self.pid
        except redis.RedisError:
            return False


def reach(url: str, timeout_s: float = 5.0) -> str:
    """Ask the Redis at ``url`` for its version.

    Raises:
        SettingsError: the address is not a Redis URL.
        AccessDenied: it refuses the client.
        RedisUnavailable: it does not answer.
    """
    try:
        client = _client(url, timeout_s)
    except (ValueError, TypeError):
        # The library's own text may quote a part of the password, and so would a traceback of it.
        raise SettingsError(
            f"Redis address {without_password(url)!r} is not a URL such as redis://localhost:6379/0"
        ) from None
    try:
        with client:
            client.ping()
            return str(client.info("server")["redis_version"])
    except redis.RedisError as error:
        if denial := redis_denial(error, url):
            raise denial from None
        raise RedisUnavailable(
            f"Redis at {without_password(url)} does not answer ({reason(error, url)}): check the address and that the"
            " server runs, or omit the address to start one here"
        ) from None


def _client(url: str, timeout_s: float) -> redis.Redis:
    once = Retry(NoBackoff(), 0)  # by default a client retries for seconds
    client = redis.Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once)
    # An option in the URL that the library does not know is noticed here only.
    client.connection_pool.make_connection()
    return client
