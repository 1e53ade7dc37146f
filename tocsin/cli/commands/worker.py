"""`tocsin worker`: the stream."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import Annotated, cast

import typer

from processors.logs import configure_logs
from processors.options import WorkerOptions
from processors.supervisor import Supervisor
from processors.worker import run_worker
from schemas.device import DEVICE_KINDS, DeviceKind
from schemas.errors import SettingsError
from tocsin.addresses import kafka_address, redis_address
from tocsin.settings import load_settings


def worker(
    kafka: Annotated[str | None, typer.Option(help="Kafka's address; the local stack's unless given.")] = None,
    redis: Annotated[str | None, typer.Option(help="Redis's address, redis://host:port/0.")] = None,
    group: Annotated[str | None, typer.Option(help="Consumer group; workers of one group share the devices.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Worker processes on this machine.")] = 1,
    default_kind: Annotated[str | None, typer.Option(help="What a device without a manifest is taken for.")] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Score the fleet's sound and raise alerts, until stopped. SIGTERM and Ctrl-C drain."""
    settings = load_settings()
    kind = default_kind or settings.default_kind
    if kind not in DEVICE_KINDS:
        raise SettingsError(f"--default-kind {kind!r}: there are {', '.join(DEVICE_KINDS)}")
    if processes > 1 and settings.instance_id is not None:
        raise SettingsError(
            f"TOCSIN_INSTANCE_ID={settings.instance_id!r} is for one process, and --processes is {processes}"
        )
    configure_logs(logging.getLevelNamesMapping()[settings.log_level])
    options = WorkerOptions(
        kafka=kafka_address(settings, kafka),
        redis_url=redis_address(settings, redis),
        group=group or settings.group,
        instance_id=settings.instance_id,
        default_kind=cast(DeviceKind, kind),
        model_store=settings.store,
        model_cache=settings.cache,
        model_trusted=settings.model_trusted,
    )
    if processes == 1:
        run_worker(options, with_parent=with_parent)
    else:
        asyncio.run(_supervise(supervised(options, processes)))


def supervised(options: WorkerOptions, count: int, log: int | None = None) -> Supervisor:
    """A supervisor of ``count`` workers; ``log`` as in :class:`processors.supervisor.Supervisor`."""
    command = [sys.executable, "-m", "tocsin", "worker", "--with-parent"]
    # By the environment: everyone on the machine can read a command line, and an address may hold a password.
    environment = {
        "TOCSIN_KAFKA": options.kafka,
        "TOCSIN_REDIS_URL": options.redis_url,
        "TOCSIN_GROUP": options.group,
        "TOCSIN_DEFAULT_KIND": options.default_kind,
        "TOCSIN_MODEL_STORE": options.model_store,
        "TOCSIN_MODEL_CACHE": str(options.model_cache),
    }
    if options.model_trusted is not None:
        environment["TOCSIN_MODEL_TRUSTED"] = str(options.model_trusted)
    return Supervisor(command, count, environment, log)


async def _supervise(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run()
