"""What commands say beside their answer, as a log keeps it and as a person sees it."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest

from schemas.errors import ContractError
from tocsin.diagnostics import say_passed_over

MESSAGE = SimpleNamespace(topic="tocsin.devices.v1", partition=2, offset=7)
LINE = "tocsin.devices.v1, partition 2, offset 7: no device manifest: it has no value"


@pytest.mark.parametrize(("terminal", "stamp"), [(False, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "), (True, "")])
def test_a_record_passed_over_has_its_time_in_a_log_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool, stamp: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    say_passed_over(MESSAGE, "device manifest", ContractError("it has no value"))

    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(f"{stamp}{re.escape(LINE)}\n", said.err)
