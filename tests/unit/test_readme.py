"""The README states what was measured, and what is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from processors.app.options import WorkerOptions
from tocsin.settings import Settings

ROOT = Path(__file__).parents[2]
_FOUND = re.compile(r"^\| (?:motor|bearing)(?: \d)?, (machine|knn) \| [^|]+ \| (\d+) of (\d+)\b", re.MULTILINE)


@pytest.mark.parametrize("page", ["README.md", "docs/models.md"])
def test_what_machine_models_find_is_told_where_people_choose_and_as_it_was_measured(page: str) -> None:
    found = {"machine": [0, 0], "knn": [0, 0]}
    for model, some, of in _FOUND.findall((ROOT / "docs/appendix/real-sound.md").read_text()):
        found[model] = [found[model][0] + int(some), found[model][1] + int(of)]
    top = " ".join((ROOT / page).read_text().partition("\n```sh\n")[0].split())

    shipped, own = ("{} of {}".format(*found[model]) for model in ("machine", "knn"))
    assert re.search(rf"\b{shipped}\b.*\b{own}\b", top)


def test_nothing_reaches_a_kafka_with_passwords_or_certificates_as_the_readme_says() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())

    said = bool(re.search(r"passwords or certificates\W+neither producers nor workers nor commands", readme))
    named = [*Settings.model_fields, *WorkerOptions.__dataclass_fields__]
    can = any(word in name for name in named for word in ("security", "sasl", "ssl", "password"))
    assert said != can
