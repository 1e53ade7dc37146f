"""Health of a worker's container: exit code 0 while every worker that runs here can score and store."""

from __future__ import annotations

import sys
from http.client import HTTPConnection, HTTPException

from processors.adapters.metrics.address import Address, parse_address
from processors.adapters.metrics.server import PORTS
from schemas.errors import SettingsError
from tocsin.settings import load_settings

_TIMEOUT_S = 5.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the addresses that stand for all, to be asked at one


def reasons(address: Address) -> tuple[int, list[str]]:
    """How many workers answer ``/ready`` at an address and its next ports, and why those that are not ready are not."""
    host, answers, found = _ANY.get(address.host, address.host), 0, []
    for port in range(address.port, min(address.port + PORTS, 65_536)):
        connection = HTTPConnection(host, port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/ready")
            response = connection.getresponse()
            text = response.read(4_096).decode(errors="replace")
        except ConnectionRefusedError:
            continue
        except (OSError, HTTPException) as error:
            text, status = f"does not answer: {error or type(error).__name__}", 0
        else:
            status = response.status
        finally:
            connection.close()
        answers += 1
        if status != 200:
            found.append(f"port {port}: {'; '.join(text.split(chr(10))).strip('; ')}")
    return answers, found


def main() -> int:
    """The exit code; the reason for 1 goes to standard output, where the container's inspection shows it."""
    try:
        address = parse_address(load_settings().metrics)
    except SettingsError as error:
        print(error)
        return 1
    if address is None or address.port == 0:
        print("TOCSIN_METRICS is off or has port 0: the health of a worker is asked at its address")
        return 1
    answers, found = reasons(address)
    if not answers:
        print(f"no worker answers at {address.host}:{address.port} or the next {PORTS - 1} ports")
    for reason in found:
        print(reason)
    return 0 if answers and not found else 1


if __name__ == "__main__":
    sys.exit(main())
