"""The README states what was measured; every setting of a connection has its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tocsin.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
_FOUND = re.compile(
    r"^\| (?:motor|bearing)(?: \d)?, (machine|knn|knn, new clips) \| [^|]+ \| (\d+) of (\d+)\b", re.MULTILINE
)


@pytest.mark.parametrize("page", ["README.md", "docs/models.md"])
def test_what_machine_models_find_is_told_where_people_choose_and_as_it_was_measured(page: str) -> None:
    found = {"machine": [0, 0], "knn": [0, 0], "knn, new clips": [0, 0]}
    for model, some, of in _FOUND.findall((ROOT / "docs/appendix/real-sound.md").read_text()):
        found[model] = [found[model][0] + int(some), found[model][1] + int(of)]
    top = " ".join((ROOT / page).read_text().partition("\n```sh\n")[0].split())

    shipped, own, unmet = ("{} of {}".format(*found[model]) for model in found)
    assert re.search(rf"\b{shipped}\b.*\b{own}\b.*\b{unmet}\b", top)


def test_every_setting_of_a_connection_is_on_its_page() -> None:
    page = (ROOT / "docs/kafka-security.md").read_text()

    settings = {PREFIX + name.upper() for name in Settings.model_fields if name.startswith(("kafka", "redis"))}
    assert settings == set(re.findall(r"`(TOCSIN_(?:KAFKA|REDIS)\w*)`", page))
