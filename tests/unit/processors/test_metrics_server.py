"""Metrics, liveness and readiness over HTTP."""

from __future__ import annotations

import runpy
import socket
from http.client import HTTPConnection
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from processors.adapters.metrics.address import Address, parse_address
from processors.adapters.metrics.health import STALE_S, Health
from processors.adapters.metrics.server import PORTS, serve_metrics
from processors.adapters.metrics.stream_collector import Gauge, StreamCollector
from processors.core.accounting.stream_counts import StreamCounts
from schemas.errors import SettingsError

HERE = "127.0.0.1"
HEALTH: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[3] / "deploy" / "worker_health.py"))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    return min(port, 65_535 - PORTS)


def get(url: str | None, path: str) -> tuple[int, str, str]:
    assert url is not None
    host = url.removeprefix("http://").partition("/")[0]
    connection = HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers["Content-Type"]
    finally:
        connection.close()


def samples_of(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_three_paths_answer(free_port: int) -> None:
    health = Health(("redis",))
    with serve_metrics("worker", Address(HERE, free_port), health, [StreamCollector(StreamCounts())]) as endpoint:
        assert get(endpoint.url, "/ready")[:2] == (503, "redis: not checked yet\n")
        health.set("redis")
        assert get(endpoint.url, "/ready")[:2] == (200, "ready\n")
        health.set("redis", "is full")
        assert get(endpoint.url, "/ready")[:2] == (503, "redis: is full\n")
        assert get(endpoint.url, "/live")[:2] == (200, "live\n")
        assert get(endpoint.url, "/")[0] == 404
        status, text, content_type = get(endpoint.url, "/metrics")

    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    found = samples_of(text)
    assert found["tocsin_sound_received_seconds_total", ()] == 0
    assert found["tocsin_build_info", (("role", "worker"), ("version", metadata.version("tocsin")))] == 1


def test_processes_of_a_machine_take_the_next_ports_and_the_health_script_asks_all(free_port: int) -> None:
    ready, away = Health(), Health(("redis",))
    address = Address(HERE, free_port)
    with serve_metrics("worker", address, ready) as first:
        assert HEALTH["reasons"](address) == (1, [])
        with serve_metrics("worker", address, away) as second:
            assert first.url != second.url
            port = str(second.url).rpartition(":")[2].partition("/")[0]
            assert HEALTH["reasons"](address) == (2, [f"port {port}: redis: not checked yet"])
            away.set("redis")
            assert HEALTH["reasons"](address) == (2, [])
    assert HEALTH["reasons"](address) == (0, [])


def test_the_health_script_fails_without_a_worker(
    free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOCSIN_METRICS", f"{HERE}:{free_port}")
    assert HEALTH["main"]() == 1
    assert f"no worker answers at {HERE}:{free_port}" in capsys.readouterr().out
    monkeypatch.setenv("TOCSIN_METRICS", "off")
    assert HEALTH["main"]() == 1


def test_a_request_that_never_ends_holds_nobody_up(free_port: int) -> None:
    with (
        serve_metrics("worker", Address(HERE, free_port), Health()) as endpoint,
        socket.create_connection((HERE, int(str(endpoint.url).rpartition(":")[2].partition("/")[0]))) as idle,
    ):
        idle.sendall(b"GET /metrics")
        assert get(endpoint.url, "/ready")[0] == 200


def test_metrics_are_off_where_it_is_asked(free_port: int) -> None:
    with serve_metrics("worker", parse_address("off"), Health()) as endpoint:
        assert endpoint.url is None


@pytest.mark.parametrize("text", ["", "9464", "host", "host:", ":9464", "127.0.0.1:70000", "127.0.0.1:-1", "h:９"])
def test_an_address_that_is_none_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(SettingsError, match=r"give HOST:PORT, such as 127\.0\.0\.1:9464, or off"):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address("127.0.0.1:9464") == (HERE, 9464)
    assert parse_address("[::1]:0") == ("::1", 0)


def test_an_address_of_another_machine_is_refused() -> None:
    with (
        pytest.raises(SettingsError, match=r"192\.0\.2\.1:9464.*TOCSIN_METRICS"),
        serve_metrics("worker", Address("192.0.2.1", 9464), Health()),
    ):
        pass


def test_a_check_that_is_not_repeated_has_failed() -> None:
    clock = Clock()
    health = Health(("kafka",), live_s=60.0, clock=clock)
    health.set("kafka")
    health.set("start", lasting=True)
    assert health.not_live() == []  # no loop yet: it may wait for Kafka as long as it takes
    health.beat()
    clock.now += STALE_S + 1
    assert health.not_ready() == [f"kafka: not checked for {STALE_S + 1:.0f} s"]
    assert health.not_live() == []
    clock.now += 60
    assert health.not_live() == ["its loop has not run for 91 s"]


def test_counts_become_metrics_without_unbounded_labels() -> None:
    counts = StreamCounts()
    for number in range(50):
        counts.sound.add(f"d{number}", "received", 16_000, 16_000)
        counts.sound.add(f"d{number}", "skipped", 16_000, 4_000, "gap")
    counts.sound.add("d0", "refused", 8_000, 8_000, "WrongSampleRate")
    counts.windows["machine", "champion"] = 7
    counts.alerts["machine", "opened"] = 2
    counts.capture_to_alert.observe(0.3)
    counts.capture_to_alert.observe(1_000.0)
    gauges = (Gauge("tocsin_lag_records", "Lag.", lambda: None), Gauge("tocsin_devices", "Devices.", lambda: 50))

    collected = list(StreamCollector(counts, gauges).collect())
    samples = {
        (sample.name, tuple(sample.labels.items())): sample.value for family in collected for sample in family.samples
    }

    assert samples["tocsin_sound_received_seconds_total", ()] == 50.0
    assert samples["tocsin_sound_skipped_seconds_total", (("reason", "gap"),)] == 12.5
    assert samples["tocsin_sound_refused_seconds_total", (("reason", "WrongSampleRate"),)] == 1.0
    assert samples["tocsin_sound_pending_seconds", ()] == pytest.approx(50.0 - 12.5 - 1.0)
    assert samples["tocsin_windows_scored_total", (("detector", "machine"), ("stage", "champion"))] == 7
    assert samples["tocsin_capture_to_alert_seconds_count", ()] == 2
    assert samples["tocsin_capture_to_alert_seconds_bucket", (("le", "0.5"),)] == 1
    assert samples["tocsin_devices", ()] == 50
    assert not any(name.startswith("tocsin_lag") for name, _ in samples)
    assert not any("device" in dict(labels) for _, labels in samples)

    by_device = [
        s for f in StreamCollector(counts, by_device=True).collect() for s in f.samples if "device" in s.labels
    ]
    assert {sample.labels["device"] for sample in by_device} == {f"d{number}" for number in range(50)}
