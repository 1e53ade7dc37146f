"""TCP ports on 127.0.0.1: which are free, which program uses one, and which one to choose."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Container

import psutil

from schemas.errors import PortInUse

HOST = "127.0.0.1"
# Below the ephemeral port range: within it, a client that tries to reach a broker that is down could be assigned the
# broker's own port, connect to itself and keep the broker from starting.
PORT_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` (1 to 65535); ports of recently closed connections count as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def becomes_free(port: int) -> bool:
    """Whether ``port`` is free within half a second: the ports of a killed process close one by one."""
    deadline = time.monotonic() + 0.5
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def holder(port: int) -> str:
    """``" (python, pid 17)"`` for the program that listens on ``port``; empty if unknown."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port
            if listens and connection.pid:
                return f" ({psutil.Process(connection.pid).name()}, pid {connection.pid})"
    except psutil.Error:
        pass
    return ""


def require(port: int, name: str) -> int:
    """Return ``port``, which the user asked for.

    Raises:
        PortInUse: another program listens there.
    """
    if not becomes_free(port):
        raise PortInUse(
            f"port {port} for {name} is in use{holder(port)}: stop that program, choose another port, or omit it"
        )
    return port


def choose(remembered: int | None, taken: Container[int]) -> int:
    """A free port that is not in ``taken``: the remembered one if it is free, else any.

    Raises:
        PortInUse: no port of the range is free.
    """
    if remembered is not None and remembered not in taken and becomes_free(remembered):
        return remembered
    # Independent of the program's seed: two programs with the same one would choose the same ports at once.
    for port in random.SystemRandom().sample(PORT_RANGE, k=200):
        if port not in taken and is_free(port):
            return port
    raise PortInUse(f"no free port found between {PORT_RANGE.start} and {PORT_RANGE.stop - 1}: choose a free one")
