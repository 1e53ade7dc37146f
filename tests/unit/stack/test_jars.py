"""Kafka's jars, fetched from a repository of the test's own."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import ComponentMissing, OutputError
from tocsin.stack import jars as jars_module
from tocsin.stack.jars import Jars, Pin, read_pins

CONTENT = {"alpha": b"first jar", "beta": b"second jar", "gamma": b"third jar"}
PINS = [Pin("org.example", name, "1.0", hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items()]


class Repository:
    """A Maven repository on a port of this machine; ``fetched`` lists the jars asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched: list[str] = []
        for name, content in CONTENT.items():
            self.put(name, content)

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002
            if str(args[0]).endswith(".jar HTTP/1.1"):
                made.fetched.append(str(args[0]).split("/")[-2].removesuffix(" HTTP"))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(made.folder)))
    settings = tmp_path / "jgo.conf"
    settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def jars(tmp_path: Path) -> Jars:
    return Jars(tmp_path / "parts", PINS)


def silent(message: str) -> None:
    """Show nothing."""


def contents(jars: Jars) -> list[bytes]:
    return [path.read_bytes() for path in jars.class_path()]


def test_the_pinned_list_is_one_whole_kafka() -> None:
    pins = read_pins()
    assert len(pins) == len({pin.name for pin in pins}) == 46
    assert all(len(pin.sha256) == 64 and int(pin.sha256, 16) for pin in pins)
    assert {pin.version for pin in pins if pin.group == "org.apache.kafka"} == {"4.3.0"}
    logging = {pin.artifact: pin.version for pin in pins if pin.group == "org.apache.logging.log4j"}
    assert set(logging) == {"log4j-api", "log4j-core", "log4j-slf4j-impl"}
    assert len(set(logging.values())) == 1


def test_install_then_nothing_more_to_fetch(repository: Repository, jars: Jars) -> None:
    jars.install(silent)
    assert contents(jars) == list(CONTENT.values())
    assert sorted(repository.fetched) == ["alpha-1.0.jar", "beta-1.0.jar", "gamma-1.0.jar"]
    jars.install(silent)
    assert len(repository.fetched) == 3


def test_install_leaves_nothing_but_the_jars(repository: Repository, jars: Jars, tmp_path: Path) -> None:
    jars.install(silent)
    found = {str(path.relative_to(tmp_path / "parts")) for path in (tmp_path / "parts").rglob("*") if path.is_file()}
    folder = jars.folder.name
    assert found == {"install.lock", f"{folder}/verified.json"} | {f"{folder}/{pin.name}" for pin in PINS}


def test_a_jar_that_is_not_the_pinned_one_is_refused(repository: Repository, jars: Jars) -> None:
    repository.put("beta", b"something else")
    with pytest.raises(ComponentMissing, match=r"beta-1\.0\.jar.*sha256"):
        jars.install(silent)
    assert not jars.folder.exists()


def test_an_interrupted_install_is_taken_up_again(repository: Repository, jars: Jars, tmp_path: Path) -> None:
    repository.put("gamma", b"the wrong one, so that the install ends early")
    with pytest.raises(ComponentMissing):
        jars.install(silent)
    aside = tmp_path / "parts" / f"{jars.folder.name}.partial"
    kept = {path.name for path in aside.glob("*.jar")}
    assert kept == {"alpha-1.0.jar", "beta-1.0.jar"}
    (aside / "beta-1.0.jar").write_bytes(b"second")  # cut short
    repository.put("gamma", CONTENT["gamma"])
    repository.fetched.clear()
    jars.install(silent)
    assert contents(jars) == list(CONTENT.values())
    assert sorted(repository.fetched) == ["beta-1.0.jar", "gamma-1.0.jar"]


@pytest.mark.parametrize("harm", [b"second jaR", b"", None])
def test_a_jar_altered_later_is_fetched_again_alone(repository: Repository, jars: Jars, harm: bytes | None) -> None:
    jars.install(silent)
    repository.fetched.clear()
    path = jars.folder / "beta-1.0.jar"
    if harm is None:
        path.unlink()
    else:
        path.write_bytes(harm)
    assert [pin.artifact for pin in jars.verify()] == ["beta"]
    jars.install(silent)
    assert contents(jars) == list(CONTENT.values())
    assert repository.fetched == ["beta-1.0.jar"]


def test_the_stamp_spares_reading_and_a_new_time_does_not(
    repository: Repository, jars: Jars, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars.install(silent)
    read: list[str] = []
    digest = jars_module.digest  # type: ignore[attr-defined]

    def counting(path: Path) -> str:
        read.append(path.name)
        return digest(path)

    monkeypatch.setattr(jars_module, "digest", counting)
    assert jars.verify() == []
    assert read == []
    os.utime(jars.folder / "alpha-1.0.jar", ns=(1, 1))
    assert jars.verify() == []
    assert len(read) == 3
    assert jars.verify() == []  # the stamp was renewed
    assert len(read) == 3


def test_a_new_list_is_not_taken_for_the_old_one(repository: Repository, jars: Jars, tmp_path: Path) -> None:
    jars.install(silent)
    other = [*PINS[:2], Pin("org.example", "gamma", "1.0", "0" * 64)]
    assert [pin.artifact for pin in Jars(tmp_path / "parts", other).verify()] == ["gamma"]


def test_a_stray_jar_is_not_on_the_class_path(repository: Repository, jars: Jars) -> None:
    jars.install(silent)
    (jars.folder / "stray.jar").write_bytes(b"")
    assert [path.name for path in jars.class_path()] == [pin.name for pin in PINS]


def test_two_installs_at_once_fetch_once(repository: Repository, jars: Jars, tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def install() -> None:
        try:
            Jars(tmp_path / "parts", PINS).install(silent)
        except BaseException as error:  # a thread's error is the test's
            errors.append(error)

    threads = [threading.Thread(target=install) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert contents(jars) == list(CONTENT.values())
    assert len(repository.fetched) == 3


def test_no_network_says_what_to_do(tmp_path: Path, jars: Jars, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "jgo.conf"
    settings.write_text("[repositories]\ncentral = http://127.0.0.1:9\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ComponentMissing, match=r"could not be fetched.*tocsin fetch"):
        jars.install(silent)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="--components"):
        Jars(tmp_path / "file" / "parts", PINS).install(silent)
