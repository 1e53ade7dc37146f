"""`tocsin alerts`: read alerts as any consumer would, and give feedback on them."""

from __future__ import annotations

import asyncio
import getpass
import time
from typing import Annotated, Any

import typer
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from rich.table import Column

from connections.kafka import KafkaConnection
from schemas.alert import Alert, AudioSpan
from schemas.errors import BrokerUnavailable, ContractError, SettingsError
from schemas.feedback import AlertFeedback, Judgement
from schemas.score_text import score_text
from schemas.time_text import utc_text
from schemas.topics import ALERTS, AUDIO, FEEDBACK, NOTICES
from tocsin.addresses import kafka_connection
from tocsin.cli.options import Json, JsonLines, Kafka
from tocsin.client.alerts import AlertLog
from tocsin.client.notices import read_notice
from tocsin.client.topic_reader import consumer_of, follow, read_to_end
from tocsin.client.topic_writer import write_records
from tocsin.console import DataTable, terminal
from tocsin.diagnostics import log_skipped_record
from tocsin.settings import load_settings
from tocsin.terminal import print_json, print_line

alerts = typer.Typer(
    name="alerts", add_completion=False, help="Read alerts and give feedback on them.", invoke_without_command=True
)

_MAX_NOTE = 2_000
_MAX_NAME = 200

AlertId = Annotated[str, typer.Argument(metavar="ALERT", help="Id of the alert, or a unique prefix.")]
JudgementArgument = Annotated[Judgement, typer.Argument(help="false-alarm: the sound was normal; real: it was not.")]


@alerts.callback()
def list_alerts(
    context: typer.Context,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new alerts until Ctrl-C.")] = False,
    json: JsonLines = False,
    kafka: Kafka = None,
) -> None:
    """Print alerts, oldest first, one line per revision; repeated revisions are printed once.

    JSON lines are the records of the topic, with `feedback` added to an alert that has some.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_list(kafka_connection(load_settings(), kafka), following=following, json=json))


@alerts.command()
def show(
    alert_id: AlertId,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Show one alert with its feedback and the location of its sound."""
    bootstrap = kafka_connection(load_settings(), kafka)
    log = asyncio.run(AlertLog.read(bootstrap))
    revisions = log.find(alert_id)
    all_feedback = log.feedback_on(revisions[0].alert_id)
    spans = [alert.audio for alert in revisions if alert.audio is not None]
    sound = asyncio.run(_sound(bootstrap, spans)) if spans else None
    if json:
        content = {
            "alert_id": revisions[0].alert_id,
            "revisions": [alert.model_dump(mode="json") for alert in revisions],
            "feedback": [one.model_dump(mode="json") for one in all_feedback],
            "audio": sound,
        }
        print_json(content)
        return
    first = revisions[0]
    print_line(
        f"{first.alert_id}: {first.detector} at {first.device_id}, model {first.model.name} {first.model.version}"
    )
    table = DataTable(
        "revision", "captured (UTC)", "state", "severity", "score", "threshold", "peak", Column("session")
    )
    for alert in revisions:
        numbers = [score_text(value) for value in (alert.score, alert.threshold, alert.peak_score)]
        table.add_row(
            str(alert.revision), utc_text(alert.captured_ns), alert.state, alert.severity, *numbers, alert.session_id
        )
    terminal().print(table)
    for one in all_feedback:
        print_line(f"{utc_text(one.given_ns)}Z  {_feedback_text(one)}" + (f"  (by {one.by})" if one.by else ""))
    if not all_feedback:
        print_line(f"no feedback; give it with `tocsin alerts feedback {first.alert_id} false-alarm` or `real`")
    print_line("its sound was not read from a topic" if sound is None else _location_text(sound))


@alerts.command("verdict", hidden=True)
@alerts.command()
def feedback(
    alert_id: AlertId,
    judgement: JudgementArgument,
    note: Annotated[str, typer.Option(help="Reason, for people to read; at most 2,000 characters.")] = "",
    by: Annotated[str | None, typer.Option(help="Who gives the feedback. Default: the name of the user.")] = None,
    json: Json = False,
    kafka: Kafka = None,
) -> None:
    """Report that an alert was a false alarm, or real. The latest feedback on an alert counts.

    Both adjust the device's threshold, and decide how `tocsin dataset capture` labels the sound of the alert.
    """
    if len(note) > _MAX_NOTE:
        raise SettingsError(f"--note {note[:40]!r}... has {len(note)} characters; the maximum is {_MAX_NOTE}")
    bootstrap = kafka_connection(load_settings(), kafka)
    given = asyncio.run(_send_feedback(bootstrap, alert_id, judgement, note, _user() if by is None else by[:_MAX_NAME]))
    if json:
        print_json(given)
    else:
        print_line(f"{given.alert_id} at {given.device_id}: {_feedback_text(given)}")


async def _list(bootstrap: KafkaConnection, *, following: bool, json: bool) -> None:
    log = AlertLog()
    # Feedback is sent after its alert: it is read first, to be printed beside the alert.
    async with consumer_of(bootstrap, [FEEDBACK]) as consumer:
        async for message in read_to_end(consumer):
            log.add_message(message)
    notices: set[str] = set()
    async with consumer_of(bootstrap, [ALERTS, NOTICES, *([FEEDBACK] if following else [])]) as consumer:
        async for message in follow(consumer) if following else read_to_end(consumer):
            if message.topic == NOTICES.name:
                if not json:
                    _print_notice(message, notices)
                continue
            new = log.add_message(message)
            if isinstance(new, Alert):
                given = log.latest_feedback(new.alert_id)
                _print_alert(new, given, json=json)
            elif isinstance(new, AlertFeedback) and not json:
                text = f"{_feedback_text(new)}  at {new.device_id}  [{new.alert_id}]"
                print_line(f"{utc_text(new.given_ns)}Z  feedback  {text}")


def _print_notice(message: Any, seen: set[str]) -> None:
    try:
        notice = read_notice(message)
    except ContractError as error:
        log_skipped_record(message, "notice", error)
        return
    if notice.event_id() not in seen:
        seen.add(notice.event_id())
        print_line(f"{utc_text(notice.time_ns())}Z  notice   {notice.kind:8}  {notice.summary}")


async def _send_feedback(
    bootstrap: KafkaConnection, alert_id: str, judgement: Judgement, note: str, by: str
) -> AlertFeedback:
    alert = (await AlertLog.read(bootstrap)).find(alert_id)[-1]
    feedback = AlertFeedback(
        alert_id=alert.alert_id,
        device_id=alert.device_id,
        detector=alert.detector,
        judgement=judgement,
        note=note,
        by=by,
        given_ns=time.time_ns(),
    )
    await write_records(bootstrap, [(FEEDBACK, feedback.to_record())])
    return feedback


async def _sound(bootstrap: KafkaConnection, spans: list[AudioSpan]) -> dict[str, Any]:
    """Where an alert's sound is stored, and whether the topic still holds it."""
    location = {
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
            raise BrokerUnavailable(f"Kafka at {bootstrap} does not report its offsets: {error}") from None
    held = "all" if begin <= location["first_offset"] else "part" if begin <= location["last_offset"] else "none"
    return {**location, "held": held}


def _location_text(sound: dict[str, Any]) -> str:
    held = {"all": "still stored", "part": "stored in part", "none": "no longer stored"}[sound["held"]]
    offsets = f"offsets {sound['first_offset']} to {sound['last_offset']}"
    return f"sound: {sound['topic']}, partition {sound['partition']}, {offsets}: {held}"


def _print_alert(alert: Alert, given: AlertFeedback | None, *, json: bool) -> None:
    if json:
        print_json(alert if given is None else {**alert.model_dump(mode="json"), "feedback": given})
        return
    line = f"{utc_text(alert.captured_ns)}Z  {alert.state:7}  {alert.severity:8}  {alert.summary}  [{alert.alert_id}]"
    print_line(line if given is None else f"{line}  {_feedback_text(given)}")


def _feedback_text(feedback: AlertFeedback) -> str:
    return feedback.judgement + (f": {' '.join(feedback.note.split())}" if feedback.note else "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # The user of a container may have no name.
        return ""
