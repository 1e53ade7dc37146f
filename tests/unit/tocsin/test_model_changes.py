"""Changes of an assignment: the new models, and what is remembered for rollback."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.artefact import Artefact
from schemas.assignment import MAX_PREVIOUS, Assignment
from schemas.errors import SettingsError
from schemas.score import Stage
from tocsin.models.changes import promoted, retired, rolled_back, with_model

SCOPE = "kind:machine"


def artefact(number: int) -> Artefact:
    return Artefact(
        detector="machine",
        model_id="crafted",
        version=str(number),
        sha256=f"{number:064x}",
        size=1,
        url="file:///nowhere/x.onnx",
        features_hash="0" * 64,
        published_ns=1,
    )


def publish(current: Assignment | None, number: int, stage: Stage = "champion") -> Assignment:
    return with_model(current, artefact(number), SCOPE, stage, "", 1)


def numbers(assignment: Assignment) -> tuple[str | None, str | None, list[str]]:
    champion, shadow = assignment.champion, assignment.shadow
    return (
        getattr(champion, "version", None),
        getattr(shadow, "version", None),
        [old.version for old in assignment.previous],
    )


def test_the_first_champion() -> None:
    first = with_model(None, artefact(1), SCOPE, "champion", "begin", 5)
    assert numbers(first) == ("1", None, [])
    assert (first.key(), first.revision, first.note, first.announced_ns) == ("machine/kind:machine", 1, "begin", 5)


def test_a_champion_remembers_those_before_it() -> None:
    third = publish(publish(publish(None, 1), 2), 3)
    assert numbers(third) == ("3", None, ["2", "1"])
    assert numbers(publish(third, 1)) == ("1", None, ["3", "2"])
    assert numbers(publish(third, 3)) == ("3", None, ["2", "1"])


def test_a_shadow_does_not_change_the_champion() -> None:
    beside = publish(publish(None, 1), 2, "shadow")
    assert numbers(beside) == ("1", "2", [])
    assert numbers(publish(beside, 3, "shadow")) == ("1", "3", [])
    assert numbers(publish(beside, 3)) == ("3", "2", ["1"])
    assert numbers(publish(beside, 2)) == ("2", None, ["1"])
    with pytest.raises(SettingsError, match="its own shadow"):
        publish(beside, 1, "shadow")


def test_a_scope_may_have_a_shadow_without_a_champion() -> None:
    beside = publish(None, 1, "shadow")
    assert numbers(beside) == (None, "1", [])
    assert numbers(promoted(beside, "", 2)) == ("1", None, [])


def test_promoted_and_rolled_back() -> None:
    beside = publish(publish(None, 1), 2, "shadow")
    up = promoted(beside, "better", 9)
    assert numbers(up) == ("2", None, ["1"])
    assert (up.revision, up.note, up.announced_ns) == (3, "better", 9)
    assert numbers(rolled_back(up, "", 10)) == ("1", None, [])
    with pytest.raises(SettingsError, match="no shadow"):
        promoted(up, "", 10)
    with pytest.raises(SettingsError, match="no earlier champion"):
        rolled_back(publish(None, 1), "", 10)


def test_a_rollback_keeps_the_shadow() -> None:
    assert numbers(rolled_back(publish(publish(publish(None, 1), 2), 3, "shadow"), "", 4)) == ("1", "3", [])


def test_a_shadow_that_becomes_champion_by_rollback_is_removed_as_shadow() -> None:
    assert numbers(rolled_back(publish(publish(publish(None, 1), 2), 1, "shadow"), "", 4)) == ("1", None, [])


def test_retired_and_back() -> None:
    beside = publish(publish(None, 1), 2, "shadow")
    assert numbers(retired(beside, "shadow", "", 3)) == ("1", None, [])
    gone = retired(beside, None, "", 3)
    assert numbers(gone) == (None, None, ["1"])
    assert numbers(rolled_back(gone, "", 4)) == ("1", None, [])
    for stage in ("shadow", None):
        with pytest.raises(SettingsError):
            retired(gone, stage, "", 4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 30)), max_size=60))
def test_any_sequence_of_changes_gives_a_valid_record(steps: list[tuple[int, int]]) -> None:
    now: Assignment | None = None
    for revision, (step, number) in enumerate(steps, start=1):
        before = now
        try:
            if now is None or step == 0:
                now = publish(now, number)
            elif step == 1:
                now = publish(now, number, "shadow")
            elif step == 2:
                now = promoted(now, "", revision)
            else:
                now = rolled_back(now, "", revision) if number % 2 else retired(now, None, "", revision)
        except SettingsError:
            assert now is before
            continue
        assert now.revision == (before.revision if before else 0) + 1
        old = [artefact.sha256 for artefact in now.previous]
        assert len(old) == len(set(old)) <= MAX_PREVIOUS
        assert now.champion is None or now.champion.sha256 not in old
        assert now.champion is None or now.shadow != now.champion
        assert Assignment.from_record(now.to_record()) == now
