"""The documentation matches the tree: its paths and links, its length, and the generated reference pages."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import tocsin
from processors.adapters.models.detectors import load_detectors
from schemas.chunk import EVENT_TYPE
from schemas.detector import DetectorEntry
from schemas.event import Event
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
MOST_WORDS = 1_500
PACKAGES = sorted(
    f"{path.parent.relative_to(ROOT)}/"
    for top in ROOT.iterdir()
    if top.is_dir() and not top.name.startswith(".") and top.name not in {"tests", "build"}
    for path in top.rglob("__init__.py")
)
_TOP = r"\.ci|benchmarks|deploy|docs|examples|processors|producers|requirements|schemas|synthesis|tests|tocsin|trainers"
_PATH = re.compile(rf"`((?:{_TOP})/[\w./-]*|[\w-]+\.(?:toml|yml))`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"^(?:\$ |\.venv/bin/)tocsin +(.+?)(?: +#.*| +&)?$|`tocsin +([^`]+)`", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^\|.*$", re.MULTILINE)
# Pages that the site generates: tests below look at their contents.
_GENERATED = {f"reference/{name}.md" for name in ("configuration", "command-line", "python", "contract")}


def pages() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@pages()
def test_named_paths_exist(page: Path) -> None:
    named = _PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pages()
def test_relative_links_resolve(page: Path) -> None:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for target in _LINK.findall(text):
        path, _, anchor = target.partition("#")
        if "://" in target or path in _GENERATED or f"reference/{Path(path).name}" in _GENERATED:
            continue
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in _anchors(linked)):
            broken.append(target)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", _CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES[:-2], ids=lambda path: str(path.relative_to(DOCS)))
def test_pages_are_short(page: Path) -> None:
    """Words outside tables and code blocks count: tables are looked up, not read."""
    prose = _TABLE.sub("", _CODE.sub("", page.read_text(encoding="utf-8")))
    assert len(prose.split()) <= MOST_WORDS


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_package_has_a_line_in_the_table_of_rooms() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `([\w/]+/)` \| \S", text, re.MULTILINE)
    assert sorted(rooms) == PACKAGES


@pytest.mark.parametrize("way", ["chunk", "model", "feedback"])
def test_every_step_of_the_three_ways_names_a_file(way: str) -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    section = text.partition(f"## The way of {'a ' if way != 'feedback' else ''}{way}\n")[2].partition("\n## ")[0]
    steps = re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]
    assert 4 <= len(steps) <= 9
    assert [step for step in steps if not re.search(r"`[\w/]+\.py`", step)] == []


def test_the_listed_tests_exist() -> None:
    listed = re.findall(r"`([\w/]+\.py)`<br>`(test_\w+)`", (DOCS / "testing.md").read_text(encoding="utf-8"))
    assert len(listed) == 30
    texts = {path: (ROOT / "tests" / path).read_text(encoding="utf-8") for path in {path for path, _ in listed}}
    assert [name for path, name in listed if f"def {name}(" not in texts[path]] == []


def test_every_decision_record_is_in_the_index() -> None:
    index = (DOCS / "adr" / "index.md").read_text(encoding="utf-8")
    assert {path.name for path in DOCS.glob("adr/0*.md")} == set(re.findall(r"\((0\S+\.md)\)", index))


def test_the_example_of_a_detector_is_valid_and_its_fields_are_described(tmp_path: Path) -> None:
    page = (DOCS / "detectors.md").read_text(encoding="utf-8")
    example = tmp_path / "detectors.json"
    example.write_text(page.partition("```json\n")[2].partition("```")[0], encoding="utf-8")
    assert set(load_detectors(example)) - set(load_detectors()) == {"belt"}
    table = page.partition("| field | default | meaning |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
    described = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert described == set(DetectorEntry.model_fields) - {"default_model"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; `strict: true` in mkdocs.yml makes every warning end the build."""
    pytest.importorskip("material", reason="the site needs the docs extra: see `make docs`")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
    assert config.strict
    build(config)
    return folder


def _text(site: Path, page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", (site / page / "index.html").read_text(encoding="utf-8")))


@pytest.mark.subprocess
def test_every_page_is_in_the_navigation(site: Path) -> None:
    built = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    assert {page.removesuffix("index").rstrip("/") or "." for page in pages} <= built
    home = (site / "index.html").read_text(encoding="utf-8")
    assert [page for page in pages if not page.endswith("index") and f'href="{page}/"' not in home] == []


@pytest.mark.subprocess
def test_the_configuration_page_has_every_setting(site: Path) -> None:
    from tocsin.settings import PREFIX, Settings

    text = _text(site, "reference/configuration")
    names = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    assert [name for name in names if name not in text] == []


@pytest.mark.subprocess
def test_the_command_page_has_every_visible_command(site: Path) -> None:
    text = _text(site, "reference/command-line")
    assert len(_commands()) > 30
    assert [name for name in _commands() if f"Usage: {name}" not in text] == []


@pytest.mark.subprocess  # faust, which the worker's command imports, starts one
@pages()
def test_commands_and_their_options_exist(page: Path) -> None:
    wrong = []
    for found in _COMMAND.findall(page.read_text(encoding="utf-8").partition("## Earlier names")[0]):
        name, words = "tocsin", shlex.split("".join(found))
        while words and f"{name} {words[0]}" in _commands():
            name = f"{name} {words.pop(0)}"
        if words and not words[0].startswith("-") and any(other.startswith(f"{name} ") for other in _commands()):
            wrong.append(f"{name} has no command {words[0]!r}")
        options = {word.partition("=")[0] for word in words if re.fullmatch(r"--[\w-]+(=.*)?", word)}
        wrong += [f"{name} has no option {option}" for option in sorted(options - _commands()[name])]
    assert wrong == []


@cache
def _commands() -> dict[str, set[str]]:
    """Every visible command with its options."""
    import typer.main

    from tocsin.cli.main import app

    return dict(_visit("tocsin", typer.main.get_command(app)))


def _visit(name: str, command: Any) -> Iterator[tuple[str, set[str]]]:
    parameters = ((*parameter.opts, *parameter.secondary_opts) for parameter in command.params)
    yield name, {"--help"}.union(*parameters)
    context = command.context_class(command)
    for child in command.list_commands(context) if hasattr(command, "list_commands") else ():
        if not (found := command.get_command(context, child)).hidden:
            yield from _visit(f"{name} {child}", found)


@pytest.mark.subprocess
def test_the_python_page_has_every_public_name(site: Path) -> None:
    text = _text(site, "reference/python")
    assert [name for name in tocsin.__all__ if f"tocsin.{name}" not in text] == []
    assert "Raises:" in text


@pytest.mark.subprocess
def test_the_contract_page_has_every_topic_and_event_type(site: Path) -> None:
    text = _text(site, "reference/contract")
    types = [event.event_type for event in _subclasses(Event) if getattr(event, "event_type", None)]
    assert len(types) >= 9
    names = [EVENT_TYPE, *types, *(topic.name for topic in TOPICS)]
    assert [name for name in names if name not in text] == []
    sections = (site / "reference/contract/index.html").read_text(encoding="utf-8").split("<h2")
    for event in _subclasses(Event):
        section = next(part for part in sections if f"<code>{event.event_type}</code><a" in part)
        assert [name for name in event.model_fields if f"<td><code>{name}</code></td>" not in section] == []


def _subclasses(of: type[Event]) -> Iterator[type[Event]]:
    for one in of.__subclasses__():
        yield one
        yield from _subclasses(one)
