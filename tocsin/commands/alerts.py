"""`tocsin alerts`: reads alerts as a consumer would."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from schemas.alert import Alert
from schemas.errors import ContractError
from schemas.topics import ALERTS
from tocsin.addresses import kafka_address
from tocsin.settings import load_settings
from tocsin.topic_reader import consumer_of, follow, read_to_end, record_of

alerts = typer.Typer(name="alerts", help="Read alerts.", invoke_without_command=True)


@alerts.callback()
def show(
    following: Annotated[bool, typer.Option("--follow", "-f", help="Go on as alerts come, until Ctrl-C.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, as on the topic.")] = False,
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
) -> None:
    """Print alerts, oldest first, one line a revision; each revision once, however often it was sent."""
    asyncio.run(_show(kafka_address(load_settings(), kafka), following=following, json=json))


async def _show(bootstrap: str, *, following: bool, json: bool) -> None:
    seen: set[str] = set()
    async with consumer_of(bootstrap, [ALERTS]) as consumer:
        async for message in follow(consumer) if following else read_to_end(consumer):
            try:
                alert = Alert.from_record(record_of(message))
            except ContractError as error:
                print(f"offset {message.offset} of partition {message.partition} is no alert: {error}", file=sys.stderr)
                continue
            if alert.event_id() in seen:
                continue
            seen.add(alert.event_id())
            print(alert.model_dump_json() if json else _line(alert), flush=True)


def _line(alert: Alert) -> str:
    when = datetime.fromtimestamp(alert.captured_ns / 1e9, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}Z  {alert.state:7}  {alert.severity:8}  {alert.summary}  [{alert.alert_id}]"
