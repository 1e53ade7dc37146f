"""Addresses of Kafka and Redis: from an option, else from the environment, else from the local stack."""

from __future__ import annotations

from urllib.parse import urlsplit

from schemas.addresses import without_password
from schemas.errors import SettingsError
from tocsin.settings import Settings
from tocsin.stack.kafka_probe import parse_bootstrap
from tocsin.stack.record import StackRecord

_REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})


def kafka_address(settings: Settings, option: str | None) -> str:
    """Kafka's bootstrap address.

    Raises:
        SettingsError: no address is given and no local stack runs, or the address is not host:port.
    """
    address = option or settings.kafka or _local(settings, "kafka", "--kafka HOST:PORT or TOCSIN_KAFKA")
    parse_bootstrap(address)
    return address


def redis_address(settings: Settings, option: str | None) -> str:
    """Redis's URL.

    Raises:
        SettingsError: no address is given and no local stack runs, or the address is not a Redis URL.
    """
    url = option or settings.redis_url or _local(settings, "redis", "--redis URL or TOCSIN_REDIS_URL")
    if not _is_redis_url(url):
        raise SettingsError(f"Redis address {without_password(url)!r} is not a URL such as redis://localhost:6379/0")
    return url


def _is_redis_url(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port != 0 and url.partition("://")[0] in _REDIS_SCHEMES


def _local(settings: Settings, service: str, alternative: str) -> str:
    record = StackRecord.load(settings.data)
    known = record.services.get(service)
    if record.mode == "down" or known is None or not (known.given or service in record.processes()):
        raise SettingsError(
            f"no local stack runs in {settings.data}: start one with `tocsin up`, or give an address with {alternative}"
        )
    return known.address
