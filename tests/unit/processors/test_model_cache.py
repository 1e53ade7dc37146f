"""The cache of models: recorded checks, last good models, and a bound on its size."""

from __future__ import annotations

import os
from pathlib import Path

from processors.adapters.models.cache import ModelCache
from processors.core.models.assignments import Target
from schemas.errors import ScoreNotFinite
from tests.unit.processors.test_model_keeper import artefact

TARGET = Target("machine", "device:pump.1", "champion")


def test_a_check_counts_for_that_artefact_and_checker_alone(tmp_path: Path) -> None:
    cache, one = ModelCache(tmp_path / "new" / "cache"), artefact("a")
    assert not cache.is_checked(one, "v1")
    cache.note_checked(one, "v1")

    assert cache.is_checked(one, "v1")
    assert not cache.is_checked(one, "v2")
    assert not cache.is_checked(one.model_copy(update={"version": "b"}), "v1")
    assert cache.is_checked(one.model_copy(update={"note": "elsewhere"}), "v1")


def test_the_last_good_model_of_each_target_is_known_to_another_worker(tmp_path: Path) -> None:
    ModelCache(tmp_path).remember(TARGET, artefact("a"))
    ModelCache(tmp_path).remember(TARGET._replace(stage="shadow"), artefact("b"))

    assert ModelCache(tmp_path).last_good(TARGET) == artefact("a")
    ModelCache(tmp_path).remember(TARGET, None)
    assert ModelCache(tmp_path).last_good(TARGET) is None
    assert ModelCache(tmp_path).last_good(TARGET._replace(stage="shadow")) == artefact("b")


def test_an_unreadable_record_counts_as_missing(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    cache.remember(TARGET, artefact("a"))
    (note,) = tmp_path.glob("good-*.json")
    note.write_text('{"artefact": {"detector"')

    assert cache.last_good(TARGET) is None


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ModelCache(tmp_path / "file" / "cache")

    cache.remember(TARGET, artefact("a"))

    assert cache.last_good(TARGET) is None


def test_the_folder_stays_within_its_bound_and_keeps_what_is_needed(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path, max_bytes=250)
    names = ["oldest", "used", "good", "old", "new"]
    for age, name in enumerate(names):
        path = cache.path(artefact(name).sha256)
        path.write_bytes(b"x" * 100)
        os.utime(path, (age, age))
        cache.note_checked(artefact(name), "v1")
    cache.remember(TARGET, artefact("good"))

    cache.evict({artefact("used").sha256})

    left = [name for name in names if cache.path(artefact(name).sha256).exists()]
    assert left == ["used", "good"]
    assert [name for name in names if cache.is_checked(artefact(name), "v1")] == left


def test_a_failure_in_service_counts_for_that_artefact_and_revision_alone(tmp_path: Path) -> None:
    ModelCache(tmp_path).note_failure(TARGET, 4, artefact("a"), ScoreNotFinite("nan for 'd'"))

    again = ModelCache(tmp_path)
    found = again.failure(TARGET, 4, artefact("a"))
    assert isinstance(found, ScoreNotFinite)
    assert str(found) == "nan for 'd'"
    assert again.failure(TARGET, 5, artefact("a")) is None
    assert again.failure(TARGET, 4, artefact("b")) is None
    assert again.failure(TARGET._replace(stage="shadow"), 4, artefact("a")) is None
