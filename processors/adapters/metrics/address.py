"""The address that metrics are served at."""

from __future__ import annotations

from typing import NamedTuple

from schemas.errors import SettingsError

OFF = "off"


class Address(NamedTuple):
    """Host and first port; 0 takes any free one."""

    host: str
    port: int


def parse_address(text: str) -> Address | None:
    """``host:port``, ``[ipv6]:port`` or ``off``, which is None.

    Raises:
        SettingsError: it is none of these.
    """
    if text.strip().lower() == OFF:
        return None
    host, colon, port = text.strip().rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise SettingsError(f"TOCSIN_METRICS={text!r} is no address: give HOST:PORT, such as 127.0.0.1:9464, or {OFF}")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))
