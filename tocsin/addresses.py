"""Where Kafka and Redis are: as an option says, as the environment says, or as the local stack runs."""

from __future__ import annotations

from schemas.errors import SettingsError
from tocsin.settings import Settings
from tocsin.stack.record import StackRecord


def kafka_address(settings: Settings, option: str | None) -> str:
    """Kafka's bootstrap address.

    Raises:
        SettingsError: none is given and no local stack runs.
    """
    return option or settings.kafka or _local(settings, "kafka", "--kafka HOST:PORT or TOCSIN_KAFKA")


def redis_address(settings: Settings, option: str | None) -> str:
    """Redis's URL.

    Raises:
        SettingsError: none is given and no local stack runs.
    """
    return option or settings.redis_url or _local(settings, "redis", "--redis URL or TOCSIN_REDIS_URL")


def _local(settings: Settings, part: str, otherwise: str) -> str:
    record = StackRecord.load(settings.data)
    known = record.parts.get(part)
    if record.mode == "down" or known is None or not (known.given or part in record.processes()):
        raise SettingsError(
            f"no local stack runs in {settings.data}: start one with `tocsin up`, or name yours with {otherwise}"
        )
    return known.address
