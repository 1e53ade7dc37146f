"""`tocsin up`, `down`, `status`, `fetch` and `topics`: the local Kafka and Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from connections.kafka import KafkaConnection
from schemas.addresses import without_password
from tocsin.addresses import kafka_connection, redis_address
from tocsin.cli.options import Json
from tocsin.console import DataTable, spinner, terminal
from tocsin.settings import Settings, load_settings
from tocsin.stack.background import ServiceStatus
from tocsin.stack.background import down as stop_stack
from tocsin.stack.background import status as stack_status
from tocsin.stack.install_lock import Progress
from tocsin.stack.parts import fetch_components
from tocsin.stack.record import StackRecord
from tocsin.stack.stack import Stack
from tocsin.stack.topics import TopicReport, create_topics
from tocsin.terminal import print_error, print_error_lines, print_json, print_line

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
_SIGNED_ONLY = "only those announced with a trusted key score (TOCSIN_MODEL_TRUSTED)"
_UNSIGNED = "no key is trusted: whoever can write to the models topic chooses what scores (TOCSIN_MODEL_TRUSTED)"


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
        given = None if kafka is None else kafka_connection(_settings(data), kafka)
        url = None if redis_url is None else redis_address(_settings(data), redis_url)
        stack = Stack(data, components or parts, given, url, kafka_port, redis_port, progress=show)
        started = stack.up()
        show("creating the topics")
        try:
            reports = create_topics(stack.connection, partitions)
        except BaseException:
            if started:  # half an `up` leaves nothing behind
                stop_stack(data)
            raise
    _warn(reports)
    if json:
        _print_json(
            {
                "started": started,
                "services": [one.model_dump(mode="json") for one in stack_status(data, stack.connection)],
            }
        )
        return
    print_line("up" if started else "up already")
    print_line(f"Kafka  {stack.bootstrap}")
    print_line(f"Redis  {without_password(stack.redis_url)}")
    print_line(f"data   {stack.data}")


def down(data: Data = DATA, json: Json = False) -> None:
    """Stop the Kafka and Redis that `tocsin up` started. Their data is kept."""
    with _progress() as show:
        show("stopping")
        stopped = stop_stack(data)
    if json:
        _print_json({"stopped": stopped})
    elif stopped:
        print_line(f"stopped {' and '.join(stopped)}; the data is kept in {data}")
    else:
        print_line(f"nothing was running in {data}")


def status(data: Data = DATA, json: Json = False) -> None:
    """Show the state of Kafka and Redis. Exit code 1 unless both run and answer."""
    found = stack_status(data, _given_kafka(data))
    signed = load_settings().model_trusted is not None
    if json:
        services = [one.model_dump(mode="json") for one in found]
        _print_json({"data": str(data.absolute()), "services": services, "signed_models_only": signed})
    else:
        _print_services(found)
        print_line(f"data  {data.absolute()}")
        print_line(f"models  {_SIGNED_ONLY if signed else _UNSIGNED}")
        for service in found:
            if service.log_end is not None:
                print_error(f"{service.name} ended by itself; the end of its log:")
                print_error_lines(service.log_end)
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
    print_line(f"Java   {java.version}  {java.path}")
    print_line(f"Kafka  {jars.version}  {jars.folder}")
    print_line(f"Redis  {redis.version}  {redis.path}")


def topics(data: Data = DATA, kafka: Kafka = None, partitions: Partitions = None, json: Json = False) -> None:
    """Create the missing topics. Existing ones whose settings differ from the required ones are reported."""
    address = kafka_connection(_settings(data), kafka)
    reports = create_topics(address, partitions)
    if json:
        _print_json({"topics": [report.model_dump(mode="json") for report in reports]})
        return
    table = DataTable("topic", "partitions", "state")
    for report in reports:
        state = "created" if report.created else "; ".join(report.differences) or "as required"
        table.add_row(report.name, str(report.partitions), state)
    terminal().print(table)


def _settings(data: Path) -> Settings:
    return load_settings().model_copy(update={"data": data})


def _given_kafka(data: Path) -> KafkaConnection | None:
    known = StackRecord.load(data).services.get("kafka")
    return None if known is None or not known.given else kafka_connection(_settings(data), known.address)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Progress on standard error: a spinner on a terminal, plain lines elsewhere."""
    if terminal(stderr=True).is_terminal:
        with spinner("") as show:
            yield show
    else:
        yield lambda message: print_error(message)


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
            print_error(f"topic {report.name} is left unchanged: {'; '.join(report.differences)}")


def _print_services(found: Sequence[ServiceStatus]) -> None:
    table = DataTable("service", "state", "pid", "version", "memory")
    table.add_column("address", no_wrap=True)
    for service in found:
        memory = "" if service.memory_bytes is None else f"{service.memory_bytes / 2**20:.0f} MiB"
        state = f"{service.state} (given)" if service.given else service.state
        table.add_row(service.name, state, str(service.pid or ""), service.version, memory, service.address or "")
    terminal().print(table)


def _print_json(content: dict[str, Any]) -> None:
    print_json(content)
