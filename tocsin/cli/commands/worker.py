"""`tocsin worker`: the stream."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Annotated, cast

import typer

from processors.app.logs import configure_logs
from processors.app.options import WorkerOptions
from processors.app.supervisor import Supervisor
from processors.app.worker import run_worker
from schemas.device import DEVICE_KINDS, DeviceKind
from schemas.errors import SettingsError
from tocsin.addresses import kafka_address, redis_address
from tocsin.settings import load_settings
from tocsin.worker_processes import supervised


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


async def _supervise(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run()
