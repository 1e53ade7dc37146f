"""`tocsin worker`: score the stream of sound and raise alerts."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Annotated

import typer

from processors.app.logs import configure_logs
from processors.app.options import WorkerOptions
from processors.app.supervisor import Supervisor
from processors.app.worker import run_worker
from schemas.device import DeviceKind
from schemas.errors import SettingsError
from tocsin.addresses import kafka_connection, redis_address
from tocsin.cli.options import Kafka
from tocsin.settings import load_settings
from tocsin.worker_processes import worker_supervisor


def worker(
    kafka: Kafka = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Redis URL. Default: TOCSIN_REDIS_URL, else the local stack's.")
    ] = None,
    group: Annotated[str | None, typer.Option(help="Consumer group; the workers of a group share the devices.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=256, help="Worker processes on this machine.")] = 1,
    default_kind: Annotated[
        DeviceKind | None, typer.Option(help="Kind assumed for a device without a manifest.")
    ] = None,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Score the fleet's sound and raise alerts until stopped. SIGTERM and Ctrl-C finish the work in progress first."""
    settings = load_settings()
    if processes > 1 and settings.instance_id is not None:
        raise SettingsError(
            f"TOCSIN_INSTANCE_ID={settings.instance_id!r} is for one process, and --processes is {processes}"
        )
    configure_logs(logging.getLevelNamesMapping()[settings.log_level])
    options = WorkerOptions(
        kafka=kafka_connection(settings, kafka),
        redis_url=redis_address(settings, redis),
        group=group or settings.group,
        instance_id=settings.instance_id,
        default_kind=default_kind or settings.default_kind,
        model_store=settings.store,
        model_cache=settings.cache,
        model_trusted=settings.model_trusted,
        detectors=settings.detectors,
        no_sound_s=60.0 * settings.no_sound_minutes,
        metrics=settings.metrics,
        metrics_by_device=settings.metrics_devices,
        memory_mb=settings.memory_mb,
    )
    if processes == 1:
        run_worker(options, with_parent=with_parent)
    else:
        asyncio.run(_supervise(worker_supervisor(options, processes)))


async def _supervise(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run()
