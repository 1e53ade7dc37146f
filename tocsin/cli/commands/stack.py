"""`tocsin up`, `down`, `status`, `fetch` and `topics`: the local Kafka and Redis."""

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
from tocsin.cli.options import Json
from tocsin.settings import load_settings
from tocsin.stack.background import ServiceStatus
from tocsin.stack.background import down as stop_stack
from tocsin.stack.background import status as stack_status
from tocsin.stack.install_lock import Progress
from tocsin.stack.parts import fetch_components
from tocsin.stack.stack import Stack
from tocsin.stack.topics import TopicReport, create_topics

Data = Annotated[Path, typer.Option(envvar="TOCSIN_DATA", help="Folder of the local stack.")]
ComponentsFolder = Annotated[
    Path | None,
    typer.Option(
        "--components",
        envvar=["TOCSIN_COMPONENTS", "TOCSIN_PARTS"],
        help="Folder of the fetched components, such as Kafka's jars. Default: one in the virtual environment.",
    ),
]
Kafka = Annotated[
    str | None,
    typer.Option(envvar="TOCSIN_KAFKA", metavar="HOST:PORT", help="Use this running Kafka instead of starting one."),
]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis", envvar="TOCSIN_REDIS_URL", metavar="URL", help="Use this running Redis instead of starting one."
    ),
]
Partitions = Annotated[
    int | None, typer.Option(min=1, help="Partitions of the topics that are partitioned by device. Default: 8.")
]
OldComponentsFolder = Annotated[Path | None, typer.Option("--parts", hidden=True)]
DATA = Path(".tocsin")


def up(
    data: Data = DATA,
    components: ComponentsFolder = None,
    kafka: Kafka = None,
    redis_url: Redis = None,
    kafka_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port for Kafka. Default: the last one, or any.")
    ] = None,
    redis_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port for Redis. Default: the last one, or any.")
    ] = None,
    partitions: Partitions = None,
    json: Json = False,
    parts: OldComponentsFolder = None,
) -> None:
    """Start Kafka and Redis in the background; create the topics."""
    with _signals_interrupt(), _progress() as show:
        stack = Stack(data, components or parts, kafka, redis_url, kafka_port, redis_port, progress=show)
        started = stack.up()
        show("creating the topics")
        try:
            reports = create_topics(stack.bootstrap, partitions)
        except BaseException:
            if started:  # half an `up` leaves nothing behind
                stop_stack(data)
            raise
    _warn(reports)
    if json:
        _print_json({"started": started, "services": [one.model_dump(mode="json") for one in stack_status(data)]})
        return
    print("up" if started else "up already")
    print(f"Kafka  {stack.bootstrap}")
    print(f"Redis  {without_password(stack.redis_url)}")
    print(f"data   {stack.data}")


def down(data: Data = DATA, json: Json = False) -> None:
    """Stop the Kafka and Redis that `tocsin up` started. Their data is kept."""
    with _progress() as show:
        show("stopping")
        stopped = stop_stack(data)
    if json:
        _print_json({"stopped": stopped})
    elif stopped:
        print(f"stopped {' and '.join(stopped)}; the data is kept in {data}")
    else:
        print(f"nothing was running in {data}")


def status(data: Data = DATA, json: Json = False) -> None:
    """Show the state of Kafka and Redis. Exit code 1 unless both run and answer."""
    found = stack_status(data)
    if json:
        _print_json({"data": str(data.absolute()), "services": [one.model_dump(mode="json") for one in found]})
    else:
        _print_services(found)
        print(f"data  {data.absolute()}")
        for service in found:
            if service.log_end is not None:
                print(f"{service.name} ended by itself; the end of its log:\n{service.log_end}", file=sys.stderr)
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)


def fetch(components: ComponentsFolder = None, json: Json = False, parts: OldComponentsFolder = None) -> None:
    """Find Java and Redis; fetch Kafka's jars, and Redis if none is found. Afterwards `tocsin up` needs no
    network."""
    with _progress() as show:
        found = fetch_components(components or parts, show)
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
    """Create the missing topics. Existing ones whose settings differ from the required ones are reported."""
    address = kafka_address(load_settings().model_copy(update={"data": data}), kafka)
    reports = create_topics(address, partitions)
    if json:
        _print_json({"topics": [report.model_dump(mode="json") for report in reports]})
        return
    table = Table("topic", "partitions", "state")
    for report in reports:
        state = "created" if report.created else "; ".join(report.differences) or "as required"
        table.add_row(report.name, str(report.partitions), state)
    Console().print(table)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Progress on standard error: a spinner on a terminal, plain lines elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("") as spinner:
            yield spinner.update
    else:
        yield lambda message: print(message, file=sys.stderr, flush=True)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does: an interrupted start must stop the services it started."""

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
            print(f"topic {report.name} is left unchanged: {'; '.join(report.differences)}", file=sys.stderr)


def _print_services(found: Sequence[ServiceStatus]) -> None:
    table = Table("service", "state", "pid", "version", "memory")
    table.add_column("address", no_wrap=True)
    for service in found:
        memory = "" if service.memory_bytes is None else f"{service.memory_bytes / 2**20:.0f} MiB"
        state = f"{service.state} (given)" if service.given else service.state
        table.add_row(service.name, state, str(service.pid or ""), service.version, memory, service.address or "")
    Console().print(table)


def _print_json(content: dict[str, Any]) -> None:
    print(jsonlib.dumps(content))
