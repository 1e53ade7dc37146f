"""Faults of the broker and of Redis, each healed again."""

from __future__ import annotations

import asyncio
import signal

import psutil
import redis

from tocsin.stack.service import Service
from tocsin.stack.stack import Stack

_PULSE_S = 0.4


class Services:
    """Ends, stops, fills and empties the services of a stack.

    Args:
        stack: started.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._starting = asyncio.Lock()
        self.kafka_up = True

    async def kafka_away(self, seconds: float, *, kill: bool) -> None:
        """The broker ends and comes back after ``seconds``."""
        self.kafka_up = False
        kafka = self._stack.kafka
        await self._change(kafka.kill if kill else kafka.terminate)
        await asyncio.sleep(seconds)
        await self._start(kafka)
        self.kafka_up = True

    async def redis_away(self, seconds: float) -> None:
        """Redis is killed and comes back after ``seconds``."""
        await self._change(self._stack.redis.kill)
        await asyncio.sleep(seconds)
        await self._start(self._stack.redis)

    async def redis_paused(self, seconds: float) -> None:
        """Redis answers nothing for ``seconds``, and then what it was asked meanwhile."""
        pid = self._stack.redis.pid
        if pid is not None:
            psutil.Process(pid).send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            psutil.Process(pid).send_signal(signal.SIGCONT)

    async def redis_slow(self, seconds: float) -> None:
        """Redis answers late for ``seconds``."""
        for _ in range(round(seconds / (2 * _PULSE_S))):
            await self.redis_paused(_PULSE_S)
            await asyncio.sleep(_PULSE_S)

    async def redis_flushed(self) -> None:
        """Redis forgets everything."""
        await asyncio.to_thread(self._ask, "FLUSHALL")

    async def redis_full(self, seconds: float) -> None:
        """Redis refuses every write for ``seconds``."""
        await asyncio.to_thread(self._ask, "CONFIG", "SET", "maxmemory", "1")
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self._ask, "CONFIG", "SET", "maxmemory", "0")

    def _ask(self, *command: str) -> None:
        with redis.Redis.from_url(self._stack.redis_admin_url, socket_timeout=10.0) as client:
            client.execute_command(*command)

    async def _start(self, service: Service) -> None:
        await self._change(service.launch)
        await asyncio.to_thread(service.wait_ready)

    async def _change(self, step: object) -> None:
        # The stack writes down what runs, one change at a time.
        async with self._starting:
            assert callable(step)  # noqa: S101
            await asyncio.to_thread(step)
