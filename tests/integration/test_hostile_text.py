"""Hostile text through the real topics: every reading command prints plain text, a line a record."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import pytest
from aiokafka import AIOKafkaProducer

from schemas.cloudevents import MAX_NS
from schemas.event import Event
from schemas.topics import ALERTS, DEVICES, FEEDBACK, MODEL_STATUS, MODELS, NOTICES, POLICIES, SCORES, Topic
from tests.integration.test_stream import tocsin
from tests.unit.schemas.records import ALERT, DEVICE, SCORE
from tests.unit.tocsin.hostile_records import ASSIGNMENT, FEEDBACK_ON_ALERT, NOTICE, POLICY, STATUS

pytestmark = pytest.mark.integration

EVIL = "[/x] \x1b]0;owned\x07\x9b31m\n2026-01-01 00:00:00Z  opened  \u202e\u200b forged"
SHOWN = "\\x1b]0;owned\\x07\\x9b31m\\n2026-01-01 00:00:00Z"


async def test_the_commands_print_plain_text(kafka: str) -> None:
    device, alert_id = f"hostile-{time.time_ns()}", str(uuid.uuid4())
    own = {"device_id": device}
    scope = f"device:{device}"
    given = FEEDBACK_ON_ALERT.model_copy(update={**own, "alert_id": alert_id, "note": EVIL, "by": EVIL})
    model = SCORE.model.model_copy(update={"name": EVIL, "version": EVIL})
    events: list[tuple[Topic, Event]] = [
        (DEVICES, DEVICE.model_copy(update={**own, "unit": "[/g]\x1b[31m", "description": EVIL})),
        (POLICIES, POLICY.model_copy(update={"scope": scope, "note": EVIL})),
        (SCORES, SCORE.model_copy(update={**own, "model": model, "captured_ns": MAX_NS})),
        (FEEDBACK, given),
        (ALERTS, ALERT.model_copy(update={**own, "alert_id": alert_id, "summary": EVIL, "model": model})),
        (NOTICES, NOTICE.model_copy(update={**own, "summary": EVIL})),
        (MODELS, ASSIGNMENT.model_copy(update={"scope": scope, "note": EVIL})),
        (MODEL_STATUS, STATUS.model_copy(update={"scope": scope, "worker": EVIL, "message": EVIL, "error": EVIL})),
    ]
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for topic, event in events:
            record = event.to_record()
            await producer.send_and_wait(topic.name, record.value, key=record.key, headers=list(record.headers))
        await producer.send_and_wait(ALERTS.name, EVIL.encode(), key=EVIL.encode(), headers=[(EVIL, EVIL.encode())])

    for arguments, lines in (
        (("alerts",), 2),
        (("alerts", "show", alert_id), 2),
        (("devices", "list"), 1),
        (("devices", "policy"), 1),
        (("devices", "sensitivity"), 1),
        (("devices", "explain", device), 1),
        (("models", "list"), 1),
    ):
        done = await asyncio.to_thread(tocsin, *arguments, kafka=kafka, columns=2_000)
        assert done.returncode == 0, done.stderr
        text = done.stdout + done.stderr
        assert [char for char in text if char != "\n" and not char.isprintable()] == []
        assert "Traceback" not in done.stderr
        assert sum(SHOWN in line for line in done.stdout.splitlines()) >= lines, done.stdout
        assert not any(line.startswith("2026-01-01") for line in done.stdout.splitlines())
    for arguments in (("alerts",), ("devices", "list"), ("devices", "policy"), ("models", "list")):
        done = await asyncio.to_thread(tocsin, *arguments, "--json", kafka=kafka)
        assert done.returncode == 0, done.stderr
        assert done.stdout.isascii()
        assert all(json.loads(line) for line in done.stdout.splitlines())
