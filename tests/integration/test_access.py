"""A Kafka as companies have it: TLS, SCRAM, mutual TLS and rules that deny by default, from the device to the alert."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connections.kafka import KafkaConnection
from connections.tls import TlsFiles
from schemas.access import Role
from schemas.topics import POLICIES
from tests.integration.authority import Authority
from tests.integration.secured_kafka import SecuredKafka
from tocsin.access_rules import create_rules
from tocsin.addresses import environment_of
from tocsin.stack.topics import create_topics

pytestmark = pytest.mark.integration

GROUP = "tocsin"
ROLES: tuple[Role, ...] = ("producer", "worker", "trainer", "consumer", "operator")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Its own Kafka, with the topics and the rules of every role."""
    kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))
    try:
        kafka.start()
        create_topics(kafka.connection)
        asyncio.run(create_rules(kafka.connection, {role: f"User:{role}" for role in ROLES}, GROUP))
        yield kafka
    finally:
        kafka.kill()


def environment(connection: KafkaConnection, **more: str) -> dict[str, str]:
    return {**os.environ, **environment_of(connection), **more}


def tocsin(
    connection: KafkaConnection, *words: str, timeout: float = 90.0, **more: str
) -> subprocess.CompletedProcess[str]:
    """A command as a user types it, with the connection's settings in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *words],
        env=environment(connection, **more), capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def assert_denied(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One line with these parts, after the log's, and exit code 2."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.strip().splitlines() if not line.startswith("{")]
    for part in parts:
        assert part in line, line


def test_every_role_works_from_the_device_to_the_alert(secured: SecuredKafka, redis_url: str, tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "worker"],
            env=environment(secured.as_user("worker"), TOCSIN_REDIS_URL=redis_url, TOCSIN_DATA=str(tmp_path)),
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        produced = tocsin(secured.as_user("producer"), "produce", "synthetic", "--seconds", "60", "--fast", "--json")
        assert produced.returncode == 0, produced.stderr
        found: list[dict[str, object]] = []
        for _ in range(60):
            listed = tocsin(secured.as_user("consumer", "SCRAM-SHA-256"), "alerts", "--json")
            assert listed.returncode == 0, listed.stderr
            found = [json.loads(line) for line in listed.stdout.splitlines()]
            if found:
                break
            assert worker.poll() is None, (tmp_path / "log").read_text()
        assert found, (tmp_path / "log").read_text()
        given = tocsin(secured.as_user("operator", "PLAIN"), "alerts", "feedback", str(found[0]["alert_id"]), "real")
        assert given.returncode == 0, given.stderr
        assert tocsin(secured.as_user("trainer"), "models", "list").returncode == 0
        worker.terminate()
        assert worker.wait(40) == 0, (tmp_path / "log").read_text()
    finally:
        worker.kill()
        worker.wait()


def test_a_wrong_password_is_one_line(secured: SecuredKafka, redis_url: str) -> None:
    wrong = secured.as_user("worker", password="guessed")  # noqa: S106
    for command in (["worker", "--redis", redis_url], ["devices", "list"], ["models", "list"], ["topics"]):
        done = tocsin(wrong, *command)
        assert_denied(done, "User:worker", "SCRAM-SHA-512", "invalid credentials")
        assert "guessed" not in done.stderr


def test_certificates_that_do_not_hold_are_one_line(secured: SecuredKafka, redis_url: str, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    untrusting = replace(secured.as_user("worker"), tls=TlsFiles(other.ca))
    assert_denied(tocsin(untrusting, "worker", "--redis", redis_url), "is not trusted", "TOCSIN_KAFKA_CA_FILE")
    for path in (secured.authority.issue("late", expired=True), other.issue("stranger")):
        done = tocsin(secured.by_certificate(path), "worker", "--redis", redis_url)
        assert_denied(done, "refuses the client's certificate", "expired")


def test_a_listener_that_demands_more_is_one_line(secured: SecuredKafka) -> None:
    assert_denied(tocsin(KafkaConnection(secured.address), "devices", "list"), "demands TLS")
    anonymous = replace(secured.as_user("worker"), protocol="SSL")
    assert_denied(tocsin(anonymous, "devices", "list"), "demands authentication", "SCRAM-SHA-512")


def test_a_missing_right_is_one_line(secured: SecuredKafka, redis_url: str, tmp_path: Path) -> None:
    producer = secured.as_user("producer")
    assert_denied(
        tocsin(producer, "worker", "--redis", redis_url),
        "User:producer", "Read topic tocsin.models.v1", "Write topic tocsin.scores.v1", "Read consumer group tocsin",
    )  # fmt: skip
    assert_denied(tocsin(producer, "alerts"), "User:producer", "Read topic tocsin.feedback.v1")
    assert_denied(
        tocsin(secured.as_user("consumer"), "produce", "synthetic", "--seconds", "2"),
        "User:consumer", "Write topic tocsin.audio.v1",
    )  # fmt: skip
    policy = tocsin(secured.as_user("consumer"), "devices", "policy", "--false-alarms-per-week", "1")
    assert_denied(policy, "User:consumer")
    assert_denied(tocsin(producer, "acl", "--apply"), "User:producer", "Alter the cluster")
    group = tocsin(secured.as_user("worker"), "worker", "--redis", redis_url, "--group", f"other-{uuid.uuid4().hex}")
    assert_denied(group, "User:worker", "Read consumer group other-")


@pytest.mark.parametrize("role", ["producer", "worker", "consumer", "operator"])
def test_only_trainers_write_models(secured: SecuredKafka, role: str) -> None:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    from schemas.topics import MODELS

    async def write() -> None:
        async with AIOKafkaProducer(**secured.as_user(role).client_options(), request_timeout_ms=5_000) as producer:
            await producer.send_and_wait(MODELS.name, b"{}", key=b"machine/all")

    with pytest.raises(KafkaError, match=MODELS.name):
        asyncio.run(write())


@pytest.mark.parametrize("taken", ["right", "user"])
def test_what_is_taken_from_a_running_worker_ends_it(
    secured: SecuredKafka, redis_url: str, tmp_path: Path, taken: str
) -> None:
    """A connection that stands would go on; a supervisor leaves it to the user as well."""
    # A user of its own, named after what it loses: nothing is given back, and other tests come in any order.
    asyncio.run(create_rules(secured.connection, {"worker": f"User:{taken}"}, GROUP))
    log = tmp_path / "log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "worker"],
            env=environment(secured.as_user(taken), TOCSIN_REDIS_URL=redis_url, TOCSIN_DATA=str(tmp_path)),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 90
        while b"worker is ready" not in log.read_bytes():
            assert worker.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        if taken == "right":
            secured.forbid("User:right", POLICIES.name)
        else:
            secured.remove_user("user")
        assert worker.wait(90) == 2, log.read_text()
        last = log.read_text().strip().splitlines()[-1]
        assert f"User:{taken}" in last
        assert (f"Read topic {POLICIES.name}" if taken == "right" else "does not authenticate") in last
    finally:
        worker.kill()
        worker.wait()
