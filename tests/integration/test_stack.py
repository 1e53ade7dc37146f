"""The local stack: real processes, started, killed, interrupted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connections.kafka import KafkaConnection
from schemas.addresses import without_password
from schemas.errors import AccessDenied, PortInUse, ServiceDied, StackBusy
from schemas.topics import AUDIO, TOPICS
from tocsin.stack import background, kafka_probe, redis_service
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics

pytestmark = pytest.mark.integration

OWNER = """
import sys, time
from pathlib import Path
from tocsin.stack.stack import Stack
with Stack(Path(sys.argv[1])) as stack:
    print("ready", flush=True)
    time.sleep(600)
"""
UP = """
import sys
from tocsin.cli.main import main
sys.argv = ["tocsin", "up", "--data", sys.argv[1]]
main()
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which nothing runs after the test, whatever the test did."""
    folder = tmp_path / "data, with a comma"
    yield folder
    for process in processes_in(folder):
        process.kill()
        process.wait(10)


def processes_in(folder: Path) -> list[psutil.Process]:
    """Every live process that works in ``folder``, whoever started it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until_empty(folder: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_in(folder) == []


def write(stack: Stack, value: bytes) -> None:
    async def send() -> None:
        producer = AIOKafkaProducer(**stack.connection.client_options(), acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(AUDIO.name, value, partition=0)
        finally:
            await producer.stop()

    asyncio.run(send())
    with redis.Redis.from_url(stack.redis_url) as client:
        client.rpush("values", value)


def read(stack: Stack) -> tuple[list[bytes], list[bytes]]:
    """The records of the topic's first partition, and the list in Redis."""

    async def fetch() -> list[bytes]:
        consumer = AIOKafkaConsumer(**stack.connection.client_options(), auto_offset_reset="earliest")
        await consumer.start()
        try:
            partition = TopicPartition(AUDIO.name, 0)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(end)]
        finally:
            await consumer.stop()

    with redis.Redis.from_url(stack.redis_url) as client:
        return asyncio.run(fetch()), client.lrange("values", 0, -1)


def test_up_down_up_keeps_data_and_addresses(data: Path) -> None:
    first = Stack(data)
    assert first.up()
    create_topics(first.connection)
    write(first, b"one")
    assert sorted(background.down(data)) == ["kafka", "redis"]
    wait_until_empty(data, 1)
    assert background.down(data) == []

    second = Stack(data)
    assert second.up()
    assert (second.bootstrap, second.redis_url) == (first.bootstrap, first.redis_url)
    write(second, b"two")
    assert read(second) == ([b"one", b"two"], [b"one", b"two"])
    background.down(data)


def test_up_twice_and_status(data: Path) -> None:
    stack = Stack(data)
    assert [part.state for part in background.status(data)] == ["stopped", "stopped"]
    assert stack.up()
    kafka, server = background.status(data)
    assert (kafka.state, kafka.address, kafka.version) == ("running", stack.bootstrap, "4.3.0")
    assert (server.state, server.address) == ("running", without_password(stack.redis_url))
    assert kafka.memory_bytes is not None
    assert 50 * 2**20 < kafka.memory_bytes < 1200 * 2**20
    assert {part.pid for part in (kafka, server)} == {process.pid for process in processes_in(data)}
    assert not Stack(data).up()
    assert background.status(data)[0].pid == kafka.pid
    with pytest.raises(StackBusy, match="down"):
        Stack(data, kafka_port=int(stack.bootstrap.rpartition(":")[2]) + 1).up()
    with pytest.raises(StackBusy, match=str(kafka.pid)), Stack(data):
        pass

    assert kafka.pid is not None
    os.kill(kafka.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(kafka.pid)], timeout=1)
    died, server = background.status(data)
    assert (died.state, server.state) == ("died", "running")
    assert "INFO" in (died.log_end or "")
    assert server.log_end is None
    command = [sys.executable, "-m", "tocsin", "status", "--data", str(data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert died.log_end
    assert died.log_end in result.stderr
    assert Stack(data).up()
    assert [part.state for part in background.status(data)] == ["running", "running"]
    background.down(data)


def test_two_stacks_are_independent(data: Path, tmp_path: Path) -> None:
    with Stack(data) as one, Stack(tmp_path / "other") as other:
        assert len({one.bootstrap, other.bootstrap}) == len({one.redis_url, other.redis_url}) == 2
        for stack, value in ((one, b"one"), (other, b"other")):
            create_topics(stack.connection)
            write(stack, value)
        assert read(one) == ([b"one"], [b"one"])
        assert read(other) == ([b"other"], [b"other"])
    assert processes_in(tmp_path) == []


def test_faults_of_a_single_service(data: Path) -> None:
    with Stack(data) as stack:
        create_topics(stack.connection)
        write(stack, b"before")
        stack.kafka.kill()
        stack.redis.terminate()
        stack.check()  # meant to be so
        assert [part.state for part in background.status(data)] == ["stopped", "stopped"]
        stack.kafka.start()
        stack.redis.start()
        write(stack, b"after")
        assert read(stack) == ([b"before", b"after"], [b"before", b"after"])

        assert stack.kafka.pid is not None
        os.kill(stack.kafka.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while stack.kafka.alive and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(ServiceDied, match=rf"(?s)Kafka at {stack.bootstrap} was killed by SIGKILL.*log:\n.*INFO"):
            stack.check()
    assert processes_in(data) == []


def test_a_broker_that_cannot_start_reports_its_log(data: Path) -> None:
    with Stack(data):
        pass
    meta = data / "kafka" / "log" / "meta.properties"
    meta.write_text(meta.read_text(encoding="utf-8").replace("node.id=1", "node.id=7"), encoding="utf-8")
    with pytest.raises(ServiceDied, match=r"(?s)Kafka at .* ended with exit code 1; .*Stored node id 7"), Stack(data):
        pass
    assert processes_in(data) == []


def test_a_port_in_use_is_reported(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} for Kafka .*pid {os.getpid()}"), Stack(data, kafka_port=port):
            pass
        with pytest.raises(PortInUse, match=f"port {port} for Redis"):
            Stack(data, redis_port=port).up()
    assert processes_in(data) == []
    with Stack(data, kafka_port=port) as stack:  # no lock was left
        assert stack.bootstrap == f"127.0.0.1:{port}"


def test_a_second_stack_in_the_folder_is_refused(data: Path) -> None:
    with Stack(data):
        with pytest.raises(StackBusy, match=f"{data}.* {os.getpid()}"):
            Stack(data).up()
        with pytest.raises(StackBusy, match=f"{os.getpid()}"):
            background.down(data)
    with Stack(data):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_owner_leaves_nothing_running(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        assert len(processes_in(data)) == 2
        owner.kill()
    with Stack(data):  # at once: neither a lock nor a port is in the way
        pass
    assert processes_in(data) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting Kafka", "waiting for Kafka"])
def test_an_interrupted_up_leaves_nothing_running(data: Path, number: int, moment: str) -> None:
    command = [sys.executable, "-c", UP, str(data)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        output = ""
        while moment not in output:
            line = process.stderr.readline()
            assert line, output
            output += line
        time.sleep(0.3)
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(30) == 128 + number
    assert "Traceback" not in rest
    wait_until_empty(data, 1)
    assert background.status(data)[0].state == "stopped"
    with Stack(data):
        pass


def test_given_addresses_start_nothing(data: Path, tmp_path: Path) -> None:
    with Stack(data) as own:
        with Stack(tmp_path / "user", kafka=own.connection, redis_url=own.redis_url) as user:
            assert (user.bootstrap, user.redis_url) == (own.bootstrap, own.redis_url)
            assert [(part.state, part.given) for part in background.status(tmp_path / "user", own.connection)] == [
                ("running", True)
            ] * 2
            assert processes_in(tmp_path / "user") == []
        own.check()


def test_topics_are_created_once_and_compared(data: Path) -> None:
    with Stack(data) as stack:
        made = create_topics(stack.connection, partitions=3)
        assert [report.name for report in made] == [topic.name for topic in TOPICS]
        assert all(report.created and not report.differences for report in made)
        assert [report.partitions for report in made] == [3 if topic.partitions > 1 else 1 for topic in TOPICS]
        again = create_topics(stack.connection, partitions=3)
        assert not any(report.created or report.differences for report in again)
        as_table = {report.name: report for report in create_topics(stack.connection)}
        assert as_table[AUDIO.name].differences == ("3 partitions, not 8",)


def test_nothing_is_written_elsewhere_or_to_the_terminal(data: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home)}
    main = [sys.executable, "-m", "tocsin"]

    def tocsin(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*main, *arguments, "--data", str(data), "--json"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    up = tocsin("up")
    assert up.returncode == 0, up.stderr
    assert json.loads(up.stdout)["started"] is True
    assert len(up.stderr.splitlines()) == 5
    status = tocsin("status")
    assert status.returncode == 0
    assert [part["state"] for part in json.loads(status.stdout)["services"]] == ["running", "running"]
    assert json.loads(tocsin("down").stdout) == {"stopped": ["redis", "kafka"]}
    assert tocsin("status").returncode == 1
    assert list(home.rglob("*")) == []
    assert {path.stat().st_mode & 0o777 for path in (data, data / "kafka", data / "redis")} == {0o700}
    assert [path for path in data.rglob("*") if path.stat().st_mode & 0o077] == []


def test_who_has_no_password_gets_nothing(data: Path) -> None:
    with Stack(data) as stack:
        with pytest.raises(AccessDenied, match="demands authentication by SCRAM-SHA-512"):
            kafka_probe.reach(KafkaConnection(stack.bootstrap))
        controller = KafkaConnection(
            f"127.0.0.1:{json.loads((data / 'stack.json').read_text())['ports']['controller']}"
        )
        with pytest.raises(AccessDenied, match="demands authentication by PLAIN"):
            kafka_probe.reach(controller)
        host = stack.redis_url.rpartition("@")[2]
        with redis.Redis.from_url(f"redis://{host}") as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with pytest.raises(AccessDenied, match="does not authenticate user 'tocsin'"):
            redis_service.reach(f"redis://tocsin:guessed@{host}")


@pytest.mark.parametrize(
    "command",
    ["CONFIG SET dir /tmp", "CONFIG GET dir", "MODULE LIST", "DEBUG SLEEP 0", "SAVE", "BGSAVE", "ACL LIST",
     "REPLICAOF localhost 1", "SHUTDOWN", "MIGRATE localhost 1 k 0 1"],
)  # fmt: skip
def test_our_user_of_redis_does_not_administer_it(stack: Stack, command: str) -> None:
    with redis.Redis.from_url(stack.redis_url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split())


def test_the_owner_administers_redis(stack: Stack) -> None:
    with redis.Redis.from_url(stack.redis_admin_url) as client:
        assert client.config_get("dir") != {}


def test_a_folder_of_an_earlier_version_goes_on_with_plain(data: Path) -> None:
    with Stack(data) as stack:
        create_topics(stack.connection)
        write(stack, b"one")
    # As it was formatted before there was a password.
    (data / "kafka" / "mechanism").unlink()
    with Stack(data) as stack:
        assert stack.connection.mechanism == "PLAIN"
        assert read(stack)[0] == [b"one"]
