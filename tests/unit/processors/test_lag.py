"""A worker that is behind says so, once a minute, and once when it no longer is."""

from __future__ import annotations

import structlog.testing

from processors.adapters.metrics.health import Health
from processors.app.monitor import Monitor


async def _passes() -> None: ...


async def _unread() -> int:
    return 0


def test_lag_is_logged_once_a_minute_and_its_end_once() -> None:
    ages = iter([5.0, 31.0, 40.0, 95.0, 2.0, 2.0])
    lags = iter([10, 500, 500, 700, 0, 0])
    monitor = Monitor(Health(), _passes, _passes, _unread, lambda: 0.0, lambda: True, lambda: next(ages))

    with structlog.testing.capture_logs() as logs:
        for now in (0.0, 3.0, 6.0, 63.0, 66.0, 69.0):
            monitor.lag = next(lags)
            monitor.report_lag(now)

    assert [(log["event"], log.get("oldest_s"), log.get("records")) for log in logs] == [
        ("behind: add workers, or CPUs", 31, 500),
        ("behind: add workers, or CPUs", 95, 700),
        ("no longer behind", None, None),
    ]
