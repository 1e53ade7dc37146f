"""`tocsin models` against a real Kafka: each command's effect on the topic, and its output."""

from __future__ import annotations

import asyncio
import io
import json
import math
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from processors.adapters.models.artefact_store import ArtefactStore
from schemas.artefact import Artefact
from schemas.assignment import Assignment, ModelState, ModelStatus
from schemas.errors import ContractError, GoldenMismatch
from schemas.score import ModelRef, Score, ScoreExplanation, Stage
from schemas.topics import MODEL_STATUS, MODELS, SCORES
from tests.unit.processors.crafted import described, graph, manifest
from tocsin.cli.main import main
from tocsin.client.topic_reader import record_of
from tocsin.client.topic_writer import write_records
from tocsin.models.assignments import announce, read_assignments
from tocsin.models.changes import with_model
from tocsin.models.publish import publish
from tocsin.models.statuses import count_workers, wait_for_statuses

pytestmark = pytest.mark.integration


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Result]


@pytest.fixture
def scope() -> str:
    """Of a device that no other test speaks of."""
    return f"device:{uuid.uuid4().hex[:12]}"


@pytest.fixture
def tocsin(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `tocsin models ...` in this process, in a folder and with a store of the test's own."""
    for name in [name for name in os.environ if name.startswith("TOCSIN_")]:
        monkeypatch.delenv(name)
    own = {"TOCSIN_KAFKA": kafka, "TOCSIN_MODEL_STORE": str(tmp_path / "store"), "COLUMNS": "200"}
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in {**own, **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["tocsin", "models", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out.getvalue(), err.getvalue())

    return run


def model(folder: Path, version: str, **changes: Any) -> Path:
    path = folder / f"{version}.onnx"
    path.write_bytes(described(graph(), manifest(version=version, **changes)).SerializeToString())
    return path


def printed(result: Result) -> dict[str, Any]:
    assert result.returncode == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def versions(assignment: dict[str, Any]) -> tuple[str | None, str | None, list[str]]:
    champion, shadow = assignment["champion"], assignment["shadow"]
    previous = [artefact["version"] for artefact in assignment["previous"]]
    return champion and champion["version"], shadow and shadow["version"], previous


def test_published_shadowed_promoted_rolled_back_retired(tocsin: Run, tmp_path: Path, scope: str) -> None:
    def change(*arguments: str) -> dict[str, Any]:
        content: dict[str, Any] = printed(tocsin(*arguments, "--scope", scope, "--json"))["assignment"]
        return content

    first, second = model(tmp_path, "1"), model(tmp_path, "2")
    assert versions(change("publish", str(first), "--note", "the first")) == ("1", None, [])
    assert versions(change("publish", str(second), "--stage", "shadow")) == ("1", "2", [])
    assert versions(change("promote", "machine")) == ("2", None, ["1"])
    assert versions(change("rollback", "machine")) == ("1", None, [])
    again = change("publish", str(second), "--detector", "machine")
    assert versions(again) == ("2", None, ["1"])
    assert Path(again["champion"]["url"].removeprefix("file://")).read_bytes() == second.read_bytes()

    listed = [json.loads(line)["assignment"] for line in tocsin("list", "--json").stdout.splitlines()]
    assert [found for found in listed if found["scope"] == scope] == [again]
    assert again["revision"] == 5
    assert scope in tocsin("list").stdout

    retired = change("retire", "machine", "--note", "enough")
    assert versions(retired) == (None, None, ["2", "1"])
    assert (retired["note"], retired["revision"]) == ("enough", 6)
    assert versions(change("rollback", "machine")) == ("2", None, ["1"])


def test_a_model_worse_than_chance_by_its_manifest_is_published_with_a_warning(
    tocsin: Run, tmp_path: Path, scope: str
) -> None:
    metrics = {"clip_auc": 0.25, "window_auc": 0.5, "auc_rub_0_db": 0.125, "sauce": 0.0, "clip_recall": 0.0}
    result = tocsin("publish", str(model(tmp_path, "1", metrics=metrics)), "--scope", scope, "--json")
    assert versions(printed(result)["assignment"])[0] == "1"
    assert "clip_auc 0.250" in result.stderr
    assert "auc_rub_0_db 0.125" in result.stderr
    assert result.stderr.count("manifest states") == 2


def test_a_published_model_is_shown_and_verified(tocsin: Run, tmp_path: Path, scope: str) -> None:
    path = model(tmp_path, uuid.uuid4().hex[:8], trained_on="a pump in the cellar")
    artefact = printed(tocsin("publish", str(path), "--scope", scope, "--json"))["assignment"]["champion"]
    key = f"machine/{scope}"

    for reference in (str(path), key, artefact["sha256"][:10]):
        shown = printed(tocsin("show", reference, "--json"))
        assert shown["manifest"]["trained_on"] == "a pump in the cellar"
        assert shown["sha256"] == artefact["sha256"]
        assert "a pump in the cellar" in tocsin("show", reference).stdout
    assert printed(tocsin("verify", key, "--json"))["refused"] is None

    kept = Path(artefact["url"].removeprefix("file://"))
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    spoiled = tocsin("verify", key)
    assert spoiled.returncode == 1
    assert "sha256" in spoiled.stderr
    kept.unlink()
    gone = tocsin("show", key)
    assert gone.returncode == 2
    assert str(kept.parent) in gone.stderr


def test_signatures_are_required_with_trusted_keys(tocsin: Run, tmp_path: Path, scope: str) -> None:
    keys = printed(tocsin("keygen", "--out", "keys", "--json"))
    printed(tocsin("keygen", "--out", "strange", "--json"))
    trusted = {"TOCSIN_MODEL_TRUSTED": keys["public"]}
    file, key = str(model(tmp_path, "1")), f"machine/{scope}"

    unsigned = tocsin("publish", file, "--scope", scope, **trusted)
    assert (unsigned.returncode, "TOCSIN_MODEL_KEY" in unsigned.stderr) == (1, True)
    stranger = tocsin("publish", file, "--scope", scope, TOCSIN_MODEL_KEY="strange/tocsin-model-key.pem", **trusted)
    assert stranger.returncode == 1
    assert "no model is assigned" in tocsin("show", key).stderr

    printed(tocsin("publish", file, "--scope", scope, "--json", TOCSIN_MODEL_KEY=keys["private"], **trusted))
    assert printed(tocsin("show", key, "--json", **trusted))["signature"] == "by a trusted key"
    assert "signature" in printed(tocsin("verify", key, "--json", **trusted))["passed"]
    foreign = tocsin("verify", key, TOCSIN_MODEL_TRUSTED="strange/tocsin-model-key.pub.pem")
    assert (foreign.returncode, "REFUSED  signature: WrongSignature" in foreign.stdout) == (1, True)


def test_nothing_unsigned_changes_anything_once_a_key_is_trusted(tocsin: Run, tmp_path: Path, scope: str) -> None:
    keys = printed(tocsin("keygen", "--out", "keys", "--json"))
    trusted = {"TOCSIN_MODEL_TRUSTED": keys["public"]}
    signing = {"TOCSIN_MODEL_KEY": keys["private"], **trusted}
    first, second = (str(model(tmp_path, version)) for version in ("1", "2"))
    for file in (first, second):
        printed(tocsin("publish", file, "--scope", scope, "--json", **signing))

    for change in ("rollback", "retire"):
        refused = tocsin(change, "machine", "--scope", scope, **trusted)
        assert (refused.returncode, "TOCSIN_MODEL_KEY" in refused.stderr) == (1, True)
    # Whoever trusts no key may announce what they like: those who trust one do not see it.
    assert tocsin("retire", "machine", "--scope", scope).returncode == 0
    assert assigned(tocsin, scope, **trusted)["champion"]["version"] == "2"
    assert assigned(tocsin, scope)["champion"] is None

    printed(tocsin("rollback", "machine", "--scope", scope, "--json", **signing))
    assert assigned(tocsin, scope, **trusted)["champion"]["version"] == "1"


def assigned(tocsin: Run, scope: str, **environment: str) -> dict[str, Any]:
    """The assignment of a scope as `models list` shows it."""
    listed = tocsin("list", "--json", **environment).stdout.splitlines()
    (found,) = [one["assignment"] for one in map(json.loads, listed) if one["assignment"]["scope"] == scope]
    return found


def test_a_model_that_fails_a_check_is_not_published(tocsin: Run, kafka: str, tmp_path: Path, scope: str) -> None:
    off = described(graph(), manifest())
    off.graph.initializer[0].raw_data = bytes(len(off.graph.initializer[0].raw_data))
    path = tmp_path / "off.onnx"
    path.write_bytes(off.SerializeToString())

    refused = tocsin("publish", str(path), "--scope", scope)

    assert refused.returncode == 1
    assert "golden" in refused.stderr
    store = ArtefactStore(tmp_path / "store")
    with pytest.raises(GoldenMismatch):
        publish(path, store=store, kafka=kafka, scope=scope)
    assert f"machine/{scope}" not in asyncio.run(read_assignments(kafka))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("promote", "machine"), "no model is assigned"),
        (("rollback", "machine"), "no model is assigned"),
        (("retire", "machine"), "no model is assigned"),
        (("compare", "machine"), "no model is assigned"),
        (("show", "machine/device:nobody"), "machine/device:nobody"),
        (("show", "missing.onnx"), "missing.onnx"),
        (("verify", "abcdef0123"), "abcdef0123"),
        (("publish", "missing.onnx"), "missing.onnx"),
    ],
)
def test_a_user_error_is_one_line(tocsin: Run, scope: str, arguments: tuple[str, ...], value: str) -> None:
    options = ("--scope", scope) if arguments[0] not in ("show", "verify") else ()
    result = tocsin(*arguments, *options)
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert value in result.stderr


def test_user_errors_after_a_champion(tocsin: Run, tmp_path: Path, scope: str) -> None:
    file = str(model(tmp_path, "1"))
    printed(tocsin("publish", file, "--scope", scope, "--json"))
    for arguments, value in (
        (("promote", "machine"), "no shadow"),
        (("rollback", "machine"), "no earlier champion"),
        (("compare", "machine"), "no shadow"),
        (("retire", "machine", "--stage", "shadow"), "no shadow"),
        (("publish", file, "--stage", "shadow"), "champion"),
        (("publish", file, "--detector", "scream"), "scream"),
        (("publish", file, "--stage", "hero"), "hero"),
        (("publish", file, "--note", "x" * 501), "501"),
    ):
        result = tocsin(*arguments, "--scope", scope)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr
        assert value in result.stderr
    for wrong in ("kind:garden", "device:a b", "everything", "device:"):
        result = tocsin("promote", "machine", "--scope", wrong)
        assert (result.returncode, wrong in result.stderr) == (2, True)


def artefact_of(version: str, url: str = "file:///nowhere/x.onnx") -> Artefact:
    return Artefact(
        detector="machine",
        model_id="crafted",
        version=version,
        sha256=version * 64,
        size=1,
        url=url,
        features_hash="0" * 64,
        published_ns=1,
    )


async def test_concurrent_changes_are_reported(kafka: str, scope: str) -> None:
    key = f"machine/{scope}"

    def change(version: str) -> Callable[[Assignment | None, int], Assignment]:
        return lambda current, now: with_model(current, artefact_of(version), scope, "champion", version, now)

    alone = await announce(kafka, key, change("1"))
    assert (alone.concurrent, alone.assignment.revision) == (None, 1)

    def slow(current: Assignment | None, now: int) -> Assignment:
        other = change("2")(current, now + 1)
        pending.append(other)
        return change("3")(current, now)

    pending: list[Assignment] = []
    slow(alone.assignment, 5)
    await write_records(kafka, [(MODELS, pending[0].to_record())])
    late = await announce(kafka, key, lambda _, now: change("3")(alone.assignment, now))
    assert late.concurrent == pending[0]
    assert (await read_assignments(kafka))[key] == late.assignment


def status(assignment: Assignment, worker: str, state: ModelState, stage: Stage = "champion") -> ModelStatus:
    artefact = assignment.champion if stage == "champion" else assignment.shadow
    assert artefact is not None
    return ModelStatus(
        worker=worker,
        detector=assignment.detector,
        scope=assignment.scope,
        revision=assignment.revision,
        stage=stage,
        sha256=artefact.sha256,
        version=artefact.version,
        state=state,
        error="TooSlow" if state == "refused" else "",
        message="90 ms a window" if state == "refused" else "",
        at_ns=time.time_ns(),
    )


@pytest.fixture
async def workers(kafka: str, scope: str) -> AsyncIterator[Callable[[dict[str, ModelState]], None]]:
    """Workers that say what the test has them say, as soon as something is announced for its scope."""
    feedback: dict[str, ModelState] = {}
    consumer = AIOKafkaConsumer(MODELS.name, bootstrap_servers=kafka, group_id=None, auto_offset_reset="earliest")
    await consumer.start()

    async def follow() -> None:
        async for message in consumer:
            try:
                assignment = Assignment.from_record(record_of(message))
            except ContractError:
                continue  # another test's
            if assignment.scope != scope:
                continue
            reports = [status(assignment, worker, state) for worker, state in feedback.items()]
            await write_records(kafka, [(MODEL_STATUS, one.to_record()) for one in reports])

    task = asyncio.create_task(follow())
    yield feedback.update
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await consumer.stop()


async def test_worker_statuses_are_waited_for(
    tocsin: Run, tmp_path: Path, scope: str, workers: Callable[[dict[str, ModelState]], None]
) -> None:
    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(tocsin, *arguments, "--scope", scope, TOCSIN_GROUP=f"nobody-{uuid.uuid4().hex}")

    silent = await run("publish", str(model(tmp_path, "1")), "--wait", "0.5")
    assert (silent.returncode, "no worker" in silent.stderr) == (1, True)

    workers({"anna": "ready", "ben": "ready"})
    ready = await run("publish", str(model(tmp_path, "2")), "--wait", "60")
    assert ready.returncode == 0, ready.stderr
    assert {"anna  champion 2 ready", "ben  champion 2 ready"} <= {line.strip() for line in ready.stdout.splitlines()}

    workers({"ben": "refused"})
    refused = await run("publish", str(model(tmp_path, "3")), "--wait", "60")
    assert refused.returncode == 1
    assert "ben  champion 3 refused: TooSlow: 90 ms a window" in refused.stdout
    listed = await asyncio.to_thread(tocsin, "list")
    assert "1 ready, 1 refused" in listed.stdout
    assert "90 ms a window" in listed.stdout


async def test_one_report_per_worker_is_waited_for(kafka: str, scope: str) -> None:
    group = f"count-{uuid.uuid4().hex[:8]}"
    assert await count_workers(kafka, group) is None
    members = [AIOKafkaConsumer(MODEL_STATUS.name, bootstrap_servers=kafka, group_id=group) for _ in range(2)]
    try:
        await asyncio.gather(*(member.start() for member in members))
        assert await count_workers(kafka, group) == 2
    finally:
        await asyncio.gather(*(member.stop() for member in members))

    announced = await announce(
        kafka, f"machine/{scope}", lambda now, at: with_model(now, artefact_of("1"), scope, "champion", "", at)
    )
    reports = [status(announced.assignment, "anna", "waiting"), status(announced.assignment, "ben", "ready")]
    await write_records(kafka, [(MODEL_STATUS, one.to_record()) for one in reports])
    waiting = asyncio.create_task(wait_for_statuses(kafka, announced.assignment, 60.0, 2))
    done, _ = await asyncio.wait([waiting], timeout=1.0)
    assert not done
    await write_records(kafka, [(MODEL_STATUS, status(announced.assignment, "anna", "ready").to_record())])
    assert [(one.worker, one.state) for one in await waiting] == [("anna", "ready"), ("ben", "ready")]


def score(device: str, number: int, value: float, limit: float, ref: ModelRef, stage: Stage) -> Score:
    # Each rise of the sine above the limit is an episode of its own.
    rise = 1 + number // 31 if value > limit else 0
    why = ScoreExplanation(
        confirmed=value,
        level=0.0,
        level_threshold=None,
        p_value=0.5,
        reference_blocks=100,
        block=1,
        calibration_progress=1.0,
        episode=rise,
        false_alarms_per_week=1.0,
    )
    return Score(
        device_id=device,
        detector="machine",
        session_id="s",
        first_sample=number * 16_000,
        n_samples=32_000,
        sample_rate=16_000,
        captured_ns=number * 1_000_000_000,
        score=value,
        threshold=limit,
        exceeds=value > limit,
        threshold_state="ready",
        level_dbfs=-20.0,
        model=ref,
        stage=stage,
        explanation=why,
    )


async def test_champion_and_shadow_are_compared(tocsin: Run, kafka: str, tmp_path: Path, scope: str) -> None:
    device, key = scope.partition(":")[2], f"machine/{scope}"
    for version, stage in (("a", "champion"), ("b", "shadow")):
        announced = await announce(
            kafka,
            key,
            lambda now, at, v=version, s=stage: with_model(now, artefact_of(v), scope, s, "", at),  # type: ignore[misc]
        )
    champion, shadow = announced.assignment.champion, announced.assignment.shadow
    assert champion is not None
    assert shadow is not None

    nothing = await asyncio.to_thread(tocsin, "compare", "machine", "--scope", scope)
    assert (nothing.returncode, "longer --since" in nothing.stderr) == (2, True)

    records = []
    for number in range(60):
        value = math.sin(number / 5.0)
        records.append(score(device, number, value, 0.9, champion.ref, "champion"))
        records.append(score(device, number, 10.0 * value**3, 5.0, shadow.ref, "shadow"))
    await write_records(kafka, [(SCORES, record.to_record()) for record in records])
    result = await asyncio.to_thread(tocsin, "compare", "machine", "--scope", scope, "--out", "out", "--json")

    found = printed(result)
    one = sum(math.sin(n / 5.0) > 0.9 for n in range(60))
    other = sum(10.0 * math.sin(n / 5.0) ** 3 > 5.0 for n in range(60))
    overall = found["overall"]
    assert (overall["windows"], overall["both"], overall["champion_only"]) == (60, one, 0)
    assert overall["shadow_only"] == other - one > 0
    assert overall["correlation"] == pytest.approx(1.0)
    assert overall["hours"] == pytest.approx(60 / 3_600)
    assert overall["champion_alarms_a_day"] == overall["shadow_alarms_a_day"] == pytest.approx(2 * 86_400 / 60)
    assert list(found["devices"]) == [device]
    assert (tmp_path / found["picture"]).read_bytes().startswith(b"\x89PNG")
    table = await asyncio.to_thread(tocsin, "compare", "machine", "--scope", scope)
    assert device in table.stdout
