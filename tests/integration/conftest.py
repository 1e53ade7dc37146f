"""A real Kafka and a real Redis for the whole session; workers that always end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.authenticated import authenticated
from tests.integration.secured_kafka import secured_stack
from tests.integration.worker_process import WorkerProcess
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The session's own stack, in a folder of its own, on free ports.

    With ``SECURED_KAFKA=1`` in the environment its Kafka has TLS, passwords and rules that deny by default; workers
    have the rights of their role alone. Meant for tests that start workers only, such as ``test_faults.py``.
    """
    if os.environ.get("SECURED_KAFKA"):
        with (
            secured_stack(tmp_path_factory.mktemp("secured"), "test-") as secured,
            authenticated(secured.connection, programs=secured.secured.as_user("worker")),
        ):
            yield secured
        return
    with Stack(tmp_path_factory.mktemp("stack")) as running, authenticated(running.connection):
        create_topics(running.connection)
        yield running


@pytest.fixture
def kafka(stack: Stack) -> str:
    return stack.bootstrap


@pytest.fixture
def redis_url(stack: Stack) -> str:
    return stack.redis_url


@pytest.fixture
def group() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def start_worker(kafka: str, redis_url: str, group: str, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers of the test's group; all are gone after the test."""
    started: list[WorkerProcess] = []

    def start(module: str = "tocsin") -> WorkerProcess:
        worker = WorkerProcess(kafka, redis_url, group, tmp_path / f"worker-{len(started)}.log", module)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.end()
        # Shown where the test has failed.
        print(worker.tail())
