"""Diagnostic lines of commands, in a log and on a terminal."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import pytest

from schemas.errors import ContractError
from tocsin.diagnostics import log_skipped_record

MESSAGE = SimpleNamespace(topic="tocsin.devices.v1", partition=2, offset=7)
LINE = "tocsin.devices.v1, partition 2, offset 7: not a valid device manifest, skipped: it has no value"


@pytest.mark.parametrize(("terminal", "stamp"), [(False, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "), (True, "")])
def test_a_skipped_record_has_a_timestamp_in_a_log_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool, stamp: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    log_skipped_record(MESSAGE, "device manifest", ContractError("it has no value"))

    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(f"{stamp}{re.escape(LINE)}\n", printed.err)
