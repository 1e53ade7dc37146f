"""Detector states in Redis: one record per device and slot, one script, one round trip per batch."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, TypeVar

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from connections.redis import redis_denial
from processors.adapters.redis.state_codec import StateTexts, deflate_state, inflate_state
from processors.adapters.redis.state_store import Change, StateKey
from processors.core.alerting.detector_state import DetectorState
from schemas.addresses import reason, without_password
from schemas.errors import RedisUnavailable, SettingsError

_FULL = "OOM command not allowed"
_log = structlog.get_logger(__name__)

T = TypeVar("T")

_PREFIX = "tocsin:state:v2:"
_FORGET_AFTER_S = 90 * 24 * 3600
_FORGET_UNANNOUNCED_AFTER_S = 3600
_MARK_PREFIX = "tocsin:states:v2:mark:"
_WRITABLE = "tocsin:writable"


class RedisStates:
    """See :class:`processors.adapters.redis.state_store.StateStore`.

    Args:
        url: ``redis://host:port/db`` or ``rediss://``.
        timeout_s: longest time of a round trip, seconds.
        is_announced: whether a device has a manifest; states of others are forgotten after an hour without a change.

    Raises:
        SettingsError: the address is invalid.
    """

    def __init__(self, url: str, timeout_s: float = 1.0, is_announced: Callable[[str], bool] = lambda _: True) -> None:
        self._is_announced = is_announced
        self._url, self._display_url, self._timeout = url, without_password(url), timeout_s
        try:
            self._redis = redis.asyncio.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
            )
            # An option in the URL that the library does not know is noticed here only.
            self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        except (ValueError, TypeError):
            # The library's own text may quote a part of the password.
            raise SettingsError(
                f"Redis address {self._display_url!r} cannot be read: write it as redis://host:6379/0"
            ) from None
        scripts = resources.files("processors.adapters.redis")
        self._script = scripts.joinpath("store_state.lua").read_text()
        self._replace_mark = self._redis.register_script(scripts.joinpath("replace_mark.lua").read_text())
        self._texts = StateTexts()
        self._sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def load(self, keys: Sequence[StateKey]) -> dict[StateKey, DetectorState]:
        """See the port. An unreadable record counts as missing, and is deleted."""
        if not keys:
            return {}
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(_name(key), "body")
            bodies = await self._with_timeout(pipe.execute())
        return await self._read({key: body for key, body in zip(keys, bodies, strict=True) if body is not None})

    async def store(self, changes: Sequence[Change]) -> dict[StateKey, DetectorState]:
        """See the port."""
        if not changes:
            return {}
        async with self._redis.pipeline(transaction=False) as pipe:
            # Loading it with each batch costs 1 KB and no round trip, and works after a restart of Redis as well.
            pipe.script_load(self._script)
            for change in changes:
                pipe.evalsha(self._sha, 1, _name(change.key), *self._arguments(change))
            _, *bodies = await self._with_timeout(pipe.execute())
        conflicting = {change.key: body for change, body in zip(changes, bodies, strict=True) if body is not None}
        states = await self._read(conflicting)
        return {key: states.get(key, DetectorState()) for key in conflicting}

    async def mark(self, partition: int) -> str | None:
        """See the port."""
        stored: Any = await self._with_timeout(self._redis.get(f"{_MARK_PREFIX}{partition}"))
        return None if stored is None else stored.decode(errors="replace")

    async def replace_mark(self, partition: int, base: str | None, mark: str) -> bool:
        """See the port."""
        call = self._replace_mark(keys=[f"{_MARK_PREFIX}{partition}"], args=[base or "", mark])
        return bool(await self._with_timeout(call))

    async def check_writable(self) -> None:
        """Stores a key of no meaning.

        Raises:
            RedisUnavailable: it does not answer, or refuses to store.
        """
        await self._with_timeout(self._redis.set(_WRITABLE, "1", ex=60))

    async def close(self) -> None:
        """Closes the connection."""
        await self._redis.aclose()

    def _arguments(self, change: Change) -> tuple[str | int | bytes, ...]:
        base, position = change.base, change.state.position
        if position is None:
            raise ValueError(f"{change.key}: a state without a position cannot be stored")
        before = ("", "") if base is None else (base.session_id, str(base.end_sample))
        body = deflate_state(self._texts.of(change.key, change.state))
        announced = self._is_announced(change.key[0])
        forget_after_s = _FORGET_AFTER_S if announced else _FORGET_UNANNOUNCED_AFTER_S
        return (*before, position.session_id, position.end_sample, body, forget_after_s)

    async def _read(self, bodies: dict[StateKey, bytes]) -> dict[StateKey, DetectorState]:
        states, unreadable = {}, []
        for key, body in bodies.items():
            try:
                states[key] = inflate_state(body)
            except ValueError:
                unreadable.append(key)
        if unreadable:
            _log.warning("unreadable states removed; these devices calibrate anew", keys=unreadable)
            await self._with_timeout(self._redis.delete(*map(_name, unreadable)))
        return states

    async def _with_timeout(self, call: Awaitable[T]) -> T:
        try:
            return await asyncio.wait_for(call, self._timeout)
        except (RedisError, OSError, TimeoutError) as error:
            # Raised within a script, this has no error class of its own.
            if _FULL in str(error):
                raise RedisUnavailable(
                    f"Redis at {self._display_url} is full: give it more memory, it refuses to store (maxmemory)"
                ) from None
            if denial := redis_denial(error, self._url):
                raise denial from None
            said = reason(error, self._url)
            raise RedisUnavailable(f"Redis at {self._display_url} does not answer: {said}") from None


def _name(key: StateKey) -> str:
    return _PREFIX + "/".join(key)
