"""`tocsin up`, `down`, `status`, `parts` and `topics`: the local Kafka and Redis."""

from __future__ import annotations

import json as jsonlib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from schemas.addresses import without_password
from tocsin.addresses import kafka_address
from tocsin.settings import load_settings
from tocsin.stack.background import ServiceStatus
from tocsin.stack.background import down as stop_stack
from tocsin.stack.background import status as stack_status
from tocsin.stack.jars import Progress
from tocsin.stack.parts import fetch_components
from tocsin.stack.stack import Stack
from tocsin.stack.topics import TopicReport, create_topics

Data = Annotated[Path, typer.Option(envvar="TOCSIN_DATA", help="Folder of the local stack.")]
PartsFolder = Annotated[
    Path | None,
    typer.Option(envvar="TOCSIN_PARTS", help="Folder of Kafka's jars; the environment's own unless given."),
]
Kafka = Annotated[
    str | None,
    typer.Option(envvar="TOCSIN_KAFKA", metavar="HOST:PORT", help="A running Kafka to use; none is started then."),
]
Redis = Annotated[
    str | None,
    typer.Option("--redis", envvar="TOCSIN_REDIS_URL", metavar="URL", help="A running Redis to use; none is started."),
]
Partitions = Annotated[
    int | None, typer.Option(min=1, help="Partitions of the topics that are split by device; 8 unless given.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DATA = Path(".tocsin")


def up(
    data: Data = DATA,
    parts: PartsFolder = None,
    kafka: Kafka = None,
    redis_url: Redis = None,
    kafka_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port for Kafka; any unless given.")] = None,
    redis_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port for Redis; any unless given.")] = None,
    partitions: Partitions = None,
    json: Json = False,
) -> None:
    """Start Kafka and Redis, create the topics, and leave both running."""
    with _signals_interrupt(), _progress() as say:
        stack = Stack(data, parts, kafka, redis_url, kafka_port, redis_port, progress=say)
        started = stack.up()
        say("creating the topics")
        try:
            reports = create_topics(stack.bootstrap, partitions)
        except BaseException:
            if started:  # half an `up` leaves nothing behind
                stop_stack(data)
            raise
    _warn(reports)
    if json:
        _print_json({"started": started, "parts": [part.model_dump(mode="json") for part in stack_status(data)]})
        return
    print("up" if started else "up already")
    print(f"Kafka  {stack.bootstrap}")
    print(f"Redis  {without_password(stack.redis_url)}")
    print(f"data   {stack.data}")


def down(data: Data = DATA, json: Json = False) -> None:
    """Stop the Kafka and Redis that `tocsin up` left running; their data stay."""
    with _progress() as say:
        say("stopping")
        stopped = stop_stack(data)
    if json:
        _print_json({"stopped": stopped})
    elif stopped:
        print(f"stopped {' and '.join(stopped)}; the data stay in {data}")
    else:
        print(f"nothing ran in {data}")


def status(data: Data = DATA, json: Json = False) -> None:
    """Show each part of the stack; exit code 1 unless both run and answer."""
    found = stack_status(data)
    if json:
        _print_json({"data": str(data.absolute()), "parts": [part.model_dump(mode="json") for part in found]})
    else:
        _print_parts(found)
        print(f"data  {data.absolute()}")
        for part in found:
            if part.log_end is not None:
                print(f"{part.name} ended by itself; the end of its log:\n{part.log_end}", file=sys.stderr)
    if any(part.state != "running" for part in found):
        raise typer.Exit(1)


def parts(parts: PartsFolder = None, json: Json = False) -> None:
    """Find Java and Redis and fetch Kafka's jars, so that `tocsin up` needs no network."""
    with _progress() as say:
        found = fetch_components(parts, say)
    java, redis, jars = found.java, found.redis, found.jars
    if json:
        _print_json(
            {
                "java": {"path": str(java.path), "version": java.version},
                "kafka": {"path": str(jars.folder), "version": jars.version},
                "redis": {"path": str(redis.path), "version": redis.version},
            }
        )
        return
    print(f"Java   {java.version}  {java.path}")
    print(f"Kafka  {jars.version}  {jars.folder}")
    print(f"Redis  {redis.version}  {redis.path}")


def topics(data: Data = DATA, kafka: Kafka = None, partitions: Partitions = None, json: Json = False) -> None:
    """Create the topics that are missing, and say where existing ones differ from the table."""
    address = kafka_address(load_settings().model_copy(update={"data": data}), kafka)
    reports = create_topics(address, partitions)
    if json:
        _print_json({"topics": [report.model_dump(mode="json") for report in reports]})
        return
    table = Table("topic", "partitions", "state")
    for report in reports:
        state = "created" if report.created else "; ".join(report.differences) or "as the table says"
        table.add_row(report.name, str(report.partitions), state)
    Console().print(table)


@contextmanager
def _progress() -> Iterator[Progress]:
    """What is being done: a spinner on a terminal, plain lines elsewhere; on standard error."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("") as spinner:
            yield spinner.update
    else:
        yield lambda message: print(message, file=sys.stderr, flush=True)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does: the parts' start must be taken back on every way out."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _warn(reports: Sequence[TopicReport]) -> None:
    for report in reports:
        if report.differences:
            print(f"topic {report.name} is left as it is: {'; '.join(report.differences)}", file=sys.stderr)


def _print_parts(found: Sequence[ServiceStatus]) -> None:
    table = Table("part", "state", "pid", "version", "memory")
    table.add_column("address", no_wrap=True)
    for part in found:
        memory = "" if part.memory_bytes is None else f"{part.memory_bytes / 2**20:.0f} MiB"
        state = f"{part.state} (given)" if part.given else part.state
        table.add_row(part.name, state, str(part.pid or ""), part.version, memory, part.address or "")
    Console().print(table)


def _print_json(content: dict[str, Any]) -> None:
    print(jsonlib.dumps(content))
