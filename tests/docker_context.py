"""What a builder is sent: Docker's own rules of .dockerignore, and the COPY instructions that read it.

Reference: moby/patternmatcher (``ignorefile.ReadAll``, ``Pattern.compile``, ``MatchesUsingParentResults``), which
Docker, BuildKit and Podman's buildah follow.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Pattern:
    """One line: what it matches, and whether it brings back what earlier lines left out."""

    regex: re.Pattern[str]
    exception: bool


def read_ignore_file(text: str) -> list[Pattern]:
    """The patterns of a .dockerignore, in order."""
    found = []
    for number, line in enumerate(text.splitlines()):
        if number == 0:
            line = line.removeprefix("\ufeff")
        if line.startswith("#"):
            continue
        pattern = line.strip()
        exception = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if not pattern:
            if exception:
                raise ValueError(f"line {number + 1}: a ! alone")
            continue
        pattern = posixpath.normpath(pattern)
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
        found.append(Pattern(re.compile(_regex(pattern)), exception))
    return found


def _regex(pattern: str) -> str:
    """Go's filepath.Match, and ``**`` for any number of folders."""
    regex, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            if pattern.startswith("/", at):
                at += 1
            regex += ".*" if at == len(pattern) else "(.*/)?"
        elif char == "*":
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "\\" and at < len(pattern):
            regex += re.escape(pattern[at])
            at += 1
        elif char in "[]-":
            regex += char
        elif char in ".$+(){}|^":
            regex += f"\\{char}" if char != "^" else "^"
        else:
            regex += re.escape(char)
    return f"^{regex}$"


def is_ignored(path: str, patterns: Iterable[Pattern]) -> bool:
    """Whether a file is left out: of the patterns that match it or a folder above it, the last decides."""
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    ignored = False
    for pattern in patterns:
        if any(pattern.regex.match(place) for place in places):
            ignored = not pattern.exception
    return ignored


def context_of(files: Iterable[str], ignore_file: str) -> list[str]:
    """The files that the builder is sent, of those in the folder."""
    patterns = read_ignore_file(ignore_file)
    return sorted(path for path in files if not is_ignored(path, patterns))


@dataclass(frozen=True)
class Copy:
    """A COPY or ADD of the context's files."""

    stage: str
    sources: tuple[str, ...]
    target: str


def copies_of(dockerfile: Path) -> list[Copy]:
    """The instructions of all stages that read the context, in order."""
    text = re.sub(r"\\\n(?:\s*#.*\n)*", " ", dockerfile.read_text(encoding="utf-8"))
    stage, found = "", []
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word.upper() == "FROM":
            stage = rest
        elif word.upper() in ("COPY", "ADD"):
            words = shlex.split(rest)
            if not any(one.startswith("--from=") for one in words):
                *sources, target = [one for one in words if not one.startswith("--")]
                found.append(Copy(stage, tuple(sources), target))
    return found


def matched_by(source: str, context: Iterable[str]) -> list[str]:
    """The context's files that a source of COPY stands for: a file, a folder with all in it, or a pattern."""
    wanted = posixpath.normpath(source).removeprefix("/")
    if wanted == ".":
        return list(context)
    return [
        path
        for path in context
        if any(
            fnmatch.fnmatchcase(place, wanted) and place.count("/") == wanted.count("/")
            for place in (path, *map(str, PurePosixPath(path).parents))
        )
    ]
