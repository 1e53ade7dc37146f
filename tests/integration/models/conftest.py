"""A stack for each module: what is announced here for all machines is not for other tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.announcer import Announcer
from tests.integration.authenticated import authenticated
from tocsin.stack.stack import Stack
from tocsin.stack.topics import create_topics


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running, authenticated(running.connection):
        create_topics(running.connection)
        yield running


@pytest.fixture
async def announcer(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Announcer]:
    monkeypatch.setenv("TOCSIN_MODEL_STORE", str(tmp_path / "models" / "store"))
    monkeypatch.setenv("TOCSIN_MODEL_CACHE", str(tmp_path / "cache"))
    async with Announcer(kafka, tmp_path / "models") as announcer:
        yield announcer
