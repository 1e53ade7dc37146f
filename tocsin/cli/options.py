"""Options and arguments that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from schemas.device import DeviceKind
from schemas.errors import SettingsError

Kafka = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Kafka's bootstrap address. Default: TOCSIN_KAFKA, else the local stack."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the device; `tocsin devices list` shows them.")]
DetectorFilter = Annotated[str | None, typer.Option(help="Only this detector. Default: all detectors of the device.")]
Kind = Annotated[DeviceKind, typer.Option(help="Kind of device: machine or room. It selects the detectors.")]
Note = Annotated[str, typer.Option(help="Reason, for people to read.")]
Guard = Annotated[str, typer.Option(help="Time to leave out before and after each alert, such as 30s.")]
KeyValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the recipe, such as preset=small; repeatable."),
]
MinutesPerDevice = Annotated[float, typer.Option(min=0.01, help="Maximum minutes of sound per device and label.")]
MaxGb = Annotated[float, typer.Option(min=0.001, help="Maximum size of all clips together, in GB (10^9 bytes).")]


def key_values(texts: Iterable[str] | None, option: str = "--set") -> dict[str, str]:
    """Values by key of options written KEY=VALUE; the last value of a repeated key counts.

    Args:
        texts: as given; None is none.
        option: named in the message.

    Raises:
        SettingsError: a text is not KEY=VALUE.
    """
    found = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SettingsError(f"{option} {text!r} is not KEY=VALUE")
        found[key] = value
    return found
