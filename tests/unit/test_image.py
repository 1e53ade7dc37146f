"""The image can be built from what the builder is sent, by Docker's own rules; the compose file is one by its
parser."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compose_spec import PyCompose, PyOptions

from tests.docker_context import context_of, copies_of, is_ignored, matched_by, read_ignore_file

ROOT = Path(__file__).parents[2]
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def tree() -> list[str]:
    """Every file of the checkout, ignored by git or not: a builder reads the folder."""
    skipped = (".git", ".venv", ".tocsin", "build", "node_modules")
    return [
        name
        for path in ROOT.rglob("*")
        if not (name := path.relative_to(ROOT).as_posix()).startswith(skipped) and path.is_file()
    ]


CONTEXT = context_of(tree(), IGNORE)


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("*", "a", True),
        ("*", "a/b", True),  # by the folder above it
        ("*\n!a", "a/b/c", False),
        ("*\n!a\na/b", "a/b/c", True),
        ("*\n!a/b.txt", "a/b.txt", False),
        ("*\n!a/b.txt", "a/c.txt", True),
        ("!a\n*", "a", True),  # the last one decides
        ("**/x", "a/b/x", True),
        ("**/x", "x", True),
        ("a/**", "a/b/c", True),
        ("a/**/z", "a/z", True),
        ("a/**/z", "a/b/c/z", True),
        ("a/*/z", "a/b/c/z", False),
        ("/a", "a", True),
        ("a/", "a/b", True),
        ("./a", "a", True),
        ("a/../b", "b", True),
        ("*.txt", "a/b.txt", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[^a]x", "bx", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("# a\na", "a", True),
        ("#a", "#a", False),
        ("  a  ", "a", True),
        ("a.b", "axb", False),
        ("**/__pycache__", "a/b/__pycache__/c.pyc", True),
        ("*\n!a\n**/__pycache__", "a/b/__pycache__/c.pyc", True),
    ],
)
def test_the_rules_are_dockers(patterns: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, read_ignore_file(patterns)) is ignored


def test_an_exception_of_nothing_is_an_error_as_for_docker() -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_ignore_file("a\n!")


def test_no_other_ignore_file_replaces_it() -> None:
    assert not DOCKERFILE.with_name("Dockerfile.dockerignore").exists()


def test_every_copy_finds_what_it_copies() -> None:
    copies = copies_of(DOCKERFILE)
    assert len(copies) >= 2
    missing = [(copy, source) for copy in copies for source in copy.sources if not matched_by(source, CONTEXT)]
    assert missing == []


def test_a_file_that_is_left_out_is_found_missing() -> None:
    without = context_of(tree(), IGNORE.replace("!requirements/s3.txt\n", ""))
    missing = {source for copy in copies_of(DOCKERFILE) for source in copy.sources if not matched_by(source, without)}
    assert missing == {"requirements/s3.txt"}


def test_nothing_private_or_useless_is_sent() -> None:
    wrong = re.compile(r"(^|/)(__pycache__|\.git|\.env[^/]*|.*\.pem|.*\.key|tests|\.tocsin)(/|$)")
    assert [path for path in CONTEXT if wrong.search(path)] == []


def copied_into(folder: Path, copies: int) -> None:
    """The first COPY instructions carried out, as the builder would."""
    for copy in copies_of(DOCKERFILE)[:copies]:
        for source in copy.sources:
            for path in matched_by(source, CONTEXT):
                whole_folder = (ROOT / source).is_dir()
                name = (
                    path
                    if source == "."
                    else Path(path).relative_to(source).as_posix()
                    if whole_folder
                    else Path(path).name
                )
                place = folder / copy.target.removeprefix("./") / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, place)


def test_pip_finds_every_lock_file_that_another_includes(tmp_path: Path) -> None:
    copied_into(tmp_path, 1)
    (line,) = [
        line
        for line in DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        if "--require-hashes" in line
    ]
    todo, seen = [tmp_path / name for name in re.findall(r"--requirement (\S+)", line)], set()
    assert todo
    while todo:
        file = todo.pop()
        assert file.is_file(), file
        if file not in seen:
            seen.add(file)
            included = re.findall(
                r"^(?:-r|--requirement|-c|--constraint) (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE
            )
            todo += [file.parent / name for name in included]
    assert len(seen) >= 4


@pytest.mark.subprocess
def test_the_package_is_built_from_the_context_alone(tmp_path: Path) -> None:
    source, wheels = tmp_path / "src", tmp_path / "wheels"
    copied_into(source, 99)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation",
        "--wheel-dir", str(wheels), "."], cwd=source, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (wheel,) = wheels.iterdir()
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = [
        path
        for path in CONTEXT
        if path.partition("/")[0] in ("schemas", "producers", "processors", "tocsin")
        and path.endswith((".py", ".lua", ".onnx", ".properties"))
    ]
    assert set(ours) <= packed
    assert (source / "deploy" / "worker_health.py").is_file()


def parsed(text: str) -> PyCompose:
    return PyOptions(apply_merge=True).from_yaml(text)


def test_the_compose_file_is_one_by_its_specification() -> None:
    compose = parsed(COMPOSE)
    compose.validate()
    assert set(compose.service_names()) == {"kafka", "redis", "topics", "worker", "factory"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("restart: unless-stopped", "restart: sometimes"),
        ("healthcheck:", "healthchek:"),
        ("condition: service_healthy", "condition: service_helthy"),
        ("interval: 10s", "interval: ten"),
        ('volumes: ["redis:/data"]', "volumes: {redis: /data}"),
    ],
)
def test_a_mistake_in_it_is_found(right: str, wrong: str) -> None:
    assert right in COMPOSE
    with pytest.raises(ValueError, match=r"expected|digits|extension"):
        parsed(COMPOSE.replace(right, wrong))
