"""`tocsin alerts`: reads alerts as a consumer would, and says what people think of them."""

from __future__ import annotations

import asyncio
import getpass
import json as jsonlib
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Column, Table

from schemas.alert import Alert, AudioSpan
from schemas.errors import BrokerUnavailable, ContractError, SettingsError
from schemas.feedback import AlertFeedback
from schemas.notice import Notice
from schemas.score_text import score_text
from schemas.topics import ALERTS, AUDIO, FEEDBACK, NOTICES
from tocsin.addresses import kafka_address
from tocsin.client.alerts import AlertLog
from tocsin.client.topic_reader import consumer_of, follow, read_to_end, record_of
from tocsin.client.topic_writer import write_records
from tocsin.diagnostics import say_passed_over
from tocsin.settings import load_settings

alerts = typer.Typer(
    name="alerts", add_completion=False, help="Read alerts, and judge them.", invoke_without_command=True
)

_MAX_NOTE = 2_000
_MAX_NAME = 200

Kafka = Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")]
AlertId = Annotated[str, typer.Argument(help="The alert's id, or as much of its beginning as is its alone.")]


class Judgement(StrEnum):
    """See :data:`schemas.feedback.Judgement`."""

    FALSE_ALARM = "false-alarm"
    REAL = "real"


@alerts.callback()
def list_alerts(
    context: typer.Context,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as alerts come, until Ctrl-C.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, as on the topic; `verdict` where there is one.")
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Print alerts, oldest first, one line a revision; each revision once, however often it was sent."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(kafka_address(load_settings(), kafka), following=following, json=json))


@alerts.command()
def show(
    alert_id: AlertId,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    kafka: Kafka = None,
) -> None:
    """Show one alert: all its revisions, what was said of it, and where its sound lies."""
    bootstrap = kafka_address(load_settings(), kafka)
    log = asyncio.run(AlertLog.read(bootstrap))
    revisions = log.find(alert_id)
    verdicts = log.verdicts(revisions[0].alert_id)
    spans = [alert.audio for alert in revisions if alert.audio is not None]
    sound = asyncio.run(_sound(bootstrap, spans)) if spans else None
    if json:
        told = {
            "alert_id": revisions[0].alert_id,
            "revisions": [alert.model_dump(mode="json") for alert in revisions],
            "verdicts": [verdict.model_dump(mode="json") for verdict in verdicts],
            "audio": sound,
        }
        print(jsonlib.dumps(told))
        return
    first = revisions[0]
    print(f"{first.alert_id}: {first.detector} at {first.device_id}, model {first.model.name} {first.model.version}")
    table = Table("revision", "heard (UTC)", "state", "severity", "score", "threshold", "peak", Column("session"))
    for alert in revisions:
        numbers = [score_text(value) for value in (alert.score, alert.threshold, alert.peak_score)]
        table.add_row(
            str(alert.revision), _when(alert.captured_ns), alert.state, alert.severity, *numbers, alert.session_id
        )
    Console().print(table)
    for verdict in verdicts:
        print(f"{_when(verdict.given_ns)}Z  {_said(verdict)}" + (f"  (by {verdict.by})" if verdict.by else ""))
    if not verdicts:
        print(f"no verdict; give one with `tocsin alerts verdict {first.alert_id} false-alarm` or `real`")
    print("its sound was not read from a topic" if sound is None else _place(sound))


@alerts.command()
def verdict(
    alert_id: AlertId,
    judgement: Annotated[Judgement, typer.Argument(help="false-alarm: it was normal sound; real: it was not.")],
    note: Annotated[str, typer.Option(help="For people; at most 2,000 characters.")] = "",
    by: Annotated[str | None, typer.Option(help="Who says so; the user's name unless given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdict as it went out.")] = False,
    kafka: Kafka = None,
) -> None:
    """Say whether an alert was right. The newest verdict on an alert holds."""
    if len(note) > _MAX_NOTE:
        raise SettingsError(f"--note {note[:40]!r}... has {len(note)} characters; at most {_MAX_NOTE} are kept")
    bootstrap = kafka_address(load_settings(), kafka)
    said = asyncio.run(_judge(bootstrap, alert_id, judgement, note, _user() if by is None else by[:_MAX_NAME]))
    print(said.model_dump_json() if json else f"{said.alert_id} at {said.device_id}: {_said(said)}")


async def _list(bootstrap: str, *, following: bool, json: bool) -> None:
    log = AlertLog()
    # Verdicts come after what they judge: those given so far are read first, to stand beside it.
    async with consumer_of(bootstrap, [FEEDBACK]) as consumer:
        async for message in read_to_end(consumer):
            log.take(message)
    notices: set[str] = set()
    async with consumer_of(bootstrap, [ALERTS, NOTICES, *([FEEDBACK] if following else [])]) as consumer:
        async for message in follow(consumer) if following else read_to_end(consumer):
            if message.topic == NOTICES.name:
                if not json:
                    _show_notice(message, notices)
                continue
            new = log.take(message)
            if isinstance(new, Alert):
                given = log.verdict(new.alert_id)
                print(_json(new, given) if json else _line(new, given), flush=True)
            elif isinstance(new, AlertFeedback) and not json:
                print(
                    f"{_when(new.given_ns)}Z  verdict  {_said(new)}  at {new.device_id}  [{new.alert_id}]", flush=True
                )


def _show_notice(message: Any, seen: set[str]) -> None:
    try:
        notice = Notice.from_record(record_of(message))
    except ContractError as error:
        say_passed_over(message, "notice", error)
        return
    if notice.event_id() not in seen:
        seen.add(notice.event_id())
        print(f"{_when(notice.captured_ns)}Z  notice   {notice.kind:8}  {notice.summary}", flush=True)


async def _judge(bootstrap: str, alert_id: str, judgement: Judgement, note: str, by: str) -> AlertFeedback:
    alert = (await AlertLog.read(bootstrap)).find(alert_id)[-1]
    said = AlertFeedback(
        alert_id=alert.alert_id,
        device_id=alert.device_id,
        detector=alert.detector,
        judgement=judgement.value,
        note=note,
        by=by,
        given_ns=time.time_ns(),
    )
    await write_records(bootstrap, [(FEEDBACK, said.to_record())])
    return said


async def _sound(bootstrap: str, spans: list[AudioSpan]) -> dict[str, Any]:
    """Where an alert's sound lies, and whether the topic still holds it."""
    place = {
        "topic": spans[0].topic,
        "partition": spans[0].partition,
        "first_offset": min(span.first_offset for span in spans),
        "last_offset": max(span.last_offset for span in spans),
    }
    async with consumer_of(bootstrap, [AUDIO]) as consumer:
        partition = TopicPartition(AUDIO.name, spans[0].partition)
        try:
            begin = (await consumer.beginning_offsets([partition]))[partition]
        except KafkaError as error:
            raise BrokerUnavailable(f"Kafka at {bootstrap} does not say what it holds: {error}") from None
    held = "all" if begin <= place["first_offset"] else "part" if begin <= place["last_offset"] else "none"
    return {**place, "held": held}


def _place(sound: dict[str, Any]) -> str:
    held = {"all": "still held", "part": "held in part", "none": "no longer held"}[sound["held"]]
    offsets = f"offsets {sound['first_offset']} to {sound['last_offset']}"
    return f"sound: {sound['topic']}, partition {sound['partition']}, {offsets}: {held}"


def _json(alert: Alert, given: AlertFeedback | None) -> str:
    if given is None:
        return alert.model_dump_json()
    return jsonlib.dumps({**alert.model_dump(mode="json"), "verdict": given.model_dump(mode="json")})


def _line(alert: Alert, given: AlertFeedback | None) -> str:
    line = f"{_when(alert.captured_ns)}Z  {alert.state:7}  {alert.severity:8}  {alert.summary}  [{alert.alert_id}]"
    return line if given is None else f"{line}  {_said(given)}"


def _said(verdict: AlertFeedback) -> str:
    return verdict.judgement + (f": {' '.join(verdict.note.split())}" if verdict.note else "")


def _when(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M:%S}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return ""
