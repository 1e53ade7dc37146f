"""Policies on the real broker: set by the command, followed as by a worker."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from aiokafka import AIOKafkaProducer

from processors.adapters.kafka.policies import Policies
from schemas.device import Device
from schemas.topics import DEVICES, POLICIES
from tests.integration.test_stream import tocsin

pytestmark = pytest.mark.integration


def rate(policies: Policies, device_id: str, kind: str, detector: str) -> float:
    policy = policies.policy(device_id, kind, detector)
    return 1.0 if policy is None else policy.false_alarms_per_week


async def run(*arguments: str, kafka: str, command: str = "policy") -> tuple[int, str]:
    done = await asyncio.to_thread(tocsin, "devices", command, *arguments, kafka=kafka)
    return done.returncode, done.stdout + done.stderr


async def test_a_policy_is_set_followed_and_removed(kafka: str) -> None:
    device = Device(device_id=f"pump-{time.time_ns()}", kind="machine", announced_ns=1)
    name = device.device_id
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        record = device.to_record()
        await producer.send_and_wait(DEVICES.name, record.value, key=record.key, headers=list(record.headers))
        await producer.send_and_wait(POLICIES.name, b"{", key=b"any/all")
    policies = Policies(kafka)
    await policies.start()
    try:
        assert rate(policies, name, "machine", "scream") == 1.0

        code, output = await run("--false-alarms-per-week", "2.5", "--device", name, kafka=kafka)
        assert code == 0, output
        assert "of observed audio = 0.357 a day" in output
        await _until(lambda: rate(policies, name, "machine", "scream") == 2.5)
        assert rate(policies, "another", "machine", "scream") == 1.0

        # The former name of the command, with its positional argument.
        code, output = await run("0.5", "--device", name, "--detector", "scream", kafka=kafka, command="sensitivity")
        assert code == 0, output
        await _until(lambda: rate(policies, name, "machine", "scream") == 0.5)
        assert rate(policies, name, "machine", "machine") == 2.5

        code, output = await run("--json", kafka=kafka)
        mine = [
            line
            for line in map(json.loads, (line for line in output.splitlines() if line.startswith("{")))
            if name in line["scope"]
        ]
        assert {line["false_alarms_per_week"] for line in mine} == {0.5, 2.5}

        for arguments in (("--unset", "--device", name, "--detector", "scream"), ("--unset", "--device", name)):
            code, output = await run(*arguments, kafka=kafka)
            assert code == 0, output
        await _until(lambda: rate(policies, name, "machine", "scream") == 1.0)
    finally:
        await policies.stop()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("0.001",), "0.001 false alarms a week cannot be kept"),
        (("1000",), "are 142.857 a day"),
        (("-1",), "-1"),
        (("1", "--unset"), "exclude each other"),
        (("1", "--kind", "dog"), "'dog' is not one of 'machine', 'room'"),
        (("1", "--detector", "nose"), "no detector 'nose'"),
        (("1", "--device", "nobody"), "no device 'nobody'"),
    ],
)
async def test_an_invalid_policy_is_refused(kafka: str, arguments: tuple[str, ...], expected: str) -> None:
    code, output = await run("--false-alarms-per-week", *arguments, kafka=kafka)

    assert code == 2
    assert expected in output
    assert "Traceback" not in output


async def _until(holds: object) -> None:
    assert callable(holds)
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.05)
