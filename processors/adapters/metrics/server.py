"""The metrics server: ``/metrics``, ``/live`` and ``/ready`` of one process, in threads of its own."""

from __future__ import annotations

import errno
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry, GCCollector, Info, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from processors.adapters.metrics.address import Address
from processors.adapters.metrics.health import Health
from schemas.errors import SettingsError

_log = logging.getLogger(__name__)

PORTS = 64
"""Processes of one machine that share an address take its port and the next ones, so many at most."""
_MAX_REQUESTS = 16
_TIMEOUT_S = 5.0
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where metrics are served.

    Attributes:
        url: None where they are not served.
        registry: takes further collectors.
    """

    url: str | None
    registry: CollectorRegistry


@contextmanager
def serve_metrics(
    role: str, address: Address | None, health: Health, collectors: Sequence[Collector] = ()
) -> Iterator[Endpoint]:
    """Serves metrics while the block runs.

    Args:
        role: what the process does, such as ``worker``; a label of ``tocsin_build_info``.
        address: host and port; the first free port from there on is taken. None serves none.
        health: what ``/live`` and ``/ready`` answer.
        collectors: of the process's own metrics; those of the Python process are added.

    Raises:
        SettingsError: the address is not one of this machine, or all ports are in use.
    """
    registry = CollectorRegistry()
    if address is None:
        yield Endpoint(None, registry)
        return
    for standard in (ProcessCollector, PlatformCollector, GCCollector):
        standard(registry=registry)
    Info("tocsin_build", "Version and role of this process.", registry=registry).info(
        {"version": metadata.version("tocsin"), "role": role}
    )
    for collector in collectors:
        registry.register(collector)
    server = _bind(address, registry, health)
    host, port = f"[{address.host}]" if ":" in address.host else address.host, server.server_port
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield Endpoint(f"http://{host}:{port}/metrics", registry)
    finally:
        server.shutdown()
        server.server_close()


def _bind(address: Address, registry: CollectorRegistry, health: Health) -> _Server:
    ports = range(address.port, min(address.port + PORTS, 65_536)) if address.port else [0]
    for port in ports:
        try:
            return _Server(Address(address.host, port), registry, health)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise SettingsError(
                    f"metrics cannot be served at {address.host}:{port}: {error.strerror or error}; set"
                    " TOCSIN_METRICS=HOST:PORT to an address of this machine, or to off"
                ) from None
    raise SettingsError(
        f"metrics cannot be served: ports {ports[0]} to {ports[-1]} of {address.host} are in use; set"
        " TOCSIN_METRICS=HOST:PORT to another address, or to off"
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_port = False

    def __init__(self, address: Address, registry: CollectorRegistry, health: Health) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.registry, self.health = registry, health
        self._free = threading.BoundedSemaphore(_MAX_REQUESTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # Without the base class's look-up of the host's name, which may take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        _log.debug("a request for metrics failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S
    server_version, sys_version = "tocsin", ""
    server: _Server
    _PATHS: ClassVar[dict[str, str]] = {"/metrics": "_metrics", "/live": "_live", "/ready": "_ready"}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        name = self._PATHS.get(path)
        if name is None:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, b"the paths are /metrics, /live and /ready\n")
        else:
            getattr(self, name)()

    do_HEAD = do_GET  # noqa: N815

    def _metrics(self) -> None:
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, content_type, encode(self.server.registry))

    def _live(self) -> None:
        self._answer_health("live", self.server.health.not_live())

    def _ready(self) -> None:
        self._answer_health("ready", self.server.health.not_ready())

    def _answer_health(self, word: str, reasons: Sequence[str]) -> None:
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        text = "".join(f"{reason}\n" for reason in reasons) or f"{word}\n"
        self._answer(status, _TEXT, text.encode(errors="replace"))

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are not logged."""
