"""Settings that a stack refuses before it starts a service."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from schemas.addresses import without_password
from schemas.errors import BrokerUnavailable, OutputError, RedisUnavailable, SettingsError, StackError
from tocsin.stack import background
from tocsin.stack.redis_service import reach
from tocsin.stack.stack import Stack


@pytest.mark.parametrize(("kafka", "redis"), [(0, None), (None, 65536), (-1, None), (20000, 20000)])
def test_ports_out_of_range_or_equal(tmp_path: Path, kafka: int | None, redis: int | None) -> None:
    with pytest.raises(SettingsError, match=str(kafka if kafka is not None else redis)):
        Stack(tmp_path, kafka_port=kafka, redis_port=redis)


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="--data"), Stack(tmp_path / "data"):
        pass


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(OutputError, match="only 5 MiB"), Stack(tmp_path / "data"):
        pass


def test_wrong_addresses_start_nothing(tmp_path: Path) -> None:
    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1 "), Stack(tmp_path, kafka="127.0.0.1:1"):
        pass
    with (
        pytest.raises(RedisUnavailable, match=r"redis://127\.0\.0\.1:1/0 "),
        Stack(tmp_path, redis_url="redis://user:secret@127.0.0.1:1/0"),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"command.lock", "lock", "stack.json"}
    assert [service.state for service in background.status(tmp_path)] == ["stopped", "stopped"]


def test_an_invalid_redis_url() -> None:
    with pytest.raises(SettingsError, match="redis://localhost"):
        reach("localhost:6379")


def test_passwords_are_not_shown() -> None:
    assert without_password("redis://user:p@ss@host:1/0") == "redis://host:1/0"
    assert without_password("redis://host:1/0") == "redis://host:1/0"


def test_services_before_the_start(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    with pytest.raises(StackError):
        stack.kafka.kill()
    with pytest.raises(StackError):
        stack.redis.kill()


def test_status_and_down_of_a_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "never"
    assert background.down(folder) == []
    assert [service.state for service in background.status(folder)] == ["stopped", "stopped"]
    assert not folder.exists()
