"""One worker process, from its options to its exit."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import structlog

from connections.denials import listening
from processors.adapters.kafka.ready import wait_for_kafka
from processors.adapters.metrics.address import parse_address
from processors.adapters.metrics.health import Health
from processors.adapters.metrics.server import serve_metrics
from processors.app.faust_app import Worker
from processors.app.monitor import CHECKS
from processors.app.options import WorkerOptions
from processors.app.shutdown import end_for_user
from schemas.access import rights_of

_log = structlog.get_logger(__name__)
_PARENT_GONE_S = 20.0


def run_worker(options: WorkerOptions, *, with_parent: bool = False) -> None:
    """Runs until SIGTERM or SIGINT; exits the process.

    Args:
        options: see there.
        with_parent: stop when standard input ends, that is, when the supervisor is gone.

    Raises:
        AccessDenied: Kafka refuses the worker, or a right is missing.
        SettingsError: a topic is missing, an address is invalid or in use, or a key that models must be signed with
            cannot be read.
        ModelRefused: a shipped model does not pass its checks.
    """
    if with_parent:
        threading.Thread(target=_stop_with_parent, name="parent", daemon=True).start()
    health = Health(CHECKS, live_s=options.stall_s)
    health.set("start", "waits for Kafka", lasting=True)
    with listening(end_for_user), serve_metrics("worker", parse_address(options.metrics), health) as endpoint:
        _log.info("metrics", address=endpoint.url or "off")
        rights = rights_of("worker", options.group)
        asyncio.run(wait_for_kafka(options.kafka, rights, lambda text: _log.warning(text)))
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        worker = Worker(options, health=health)
        endpoint.registry.register(worker.collector)
        program = worker.app.Worker(loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        program.spinner = None
        program.execute_from_commandline()


def _stop_with_parent() -> None:
    # Not sys.stdin: a thread that waits in its buffer makes the interpreter abort at its end.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_PARENT_GONE_S)
    os._exit(1)
