"""Worker processes on this machine, each started by the command a user would type."""

from __future__ import annotations

import sys

from processors.app.options import WorkerOptions
from processors.app.supervisor import Supervisor
from tocsin.addresses import environment_of


def worker_supervisor(options: WorkerOptions, count: int, log: int | None = None) -> Supervisor:
    """A supervisor of ``count`` worker processes; ``log`` as in :class:`processors.app.supervisor.Supervisor`."""
    command = [sys.executable, "-m", "tocsin", "worker", "--with-parent"]
    # Passed by the environment: any user can read a command line, and an address may contain a password.
    environment = {
        **environment_of(options.kafka),
        "TOCSIN_REDIS_URL": options.redis_url,
        "TOCSIN_GROUP": options.group,
        "TOCSIN_DEFAULT_KIND": options.default_kind,
        "TOCSIN_MODEL_STORE": options.model_store,
        "TOCSIN_MODEL_CACHE": str(options.model_cache),
        "TOCSIN_NO_SOUND_MINUTES": str(options.no_sound_s / 60.0),
        "TOCSIN_METRICS": options.metrics,
        "TOCSIN_METRICS_DEVICES": str(options.metrics_by_device),
        "TOCSIN_MEMORY_MB": str(options.memory_mb),
    }
    if options.detectors is not None:
        environment["TOCSIN_DETECTORS"] = str(options.detectors)
    if options.model_trusted is not None:
        environment["TOCSIN_MODEL_TRUSTED"] = str(options.model_trusted)
    return Supervisor(command, count, environment, log)
