"""The security page: each test it names exists and has tests, each topic is one, every defence has a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from schemas import errors
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
MODELS_PAGE = (ROOT / "docs" / "model-security.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE)))


def test_it_names_tests() -> None:
    assert len(TESTS) > 10


@pytest.mark.parametrize("name", TESTS)
def test_every_named_test_is_there(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert any(function.name.startswith("test_") for function in functions)


def test_every_defence_has_a_test() -> None:
    section = PAGE.partition("## What stops it")[2].partition("## ")[0]
    rows = [
        line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "|---"))
    ]
    assert len(rows) > 10
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []


def test_every_topic_is_placed() -> None:
    named = set(re.findall(r"`(tocsin\.[a-z-]+\.v\d+)`", PAGE))
    assert named <= {topic.name for topic in TOPICS}
    section = PAGE.partition("## What Kafka's access control must defend")[2].partition("\n## ")[0]
    written = set(re.findall(r"`(tocsin\.[a-z-]+\.v\d+)`", section))
    assert {topic.name for topic in TOPICS} - written == set()


def test_every_refusal_that_the_pages_name_is_one() -> None:
    refused = set(re.findall(r"`([A-Z][a-z]+[A-Za-z]+)`", PAGE + MODELS_PAGE))
    assert {"Unsigned", "WrongSignature", "Replayed"} <= refused
    # Other names in code quotes: operators and libraries' settings.
    known = {name for name in refused if hasattr(errors, name)}
    assert refused - known <= {"PyOp", "If", "Loop"}
