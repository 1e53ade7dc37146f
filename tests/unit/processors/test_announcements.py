"""Signed announcements: what they cover, and what cannot be said again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from processors.adapters.models.announcements import SIGNATURE, Announcements, sign_record, verify_record
from processors.adapters.models.assigned import AssignedModels
from processors.adapters.models.detectors import load_detectors
from processors.core.models.assignments import ModelAssignments
from schemas.assignment import Assignment, ModelStatus
from schemas.errors import Replayed, TocsinError, Unsigned, WrongSignature
from schemas.record import Record
from tests.unit.tocsin.test_model_changes import artefact, publish
from tocsin.models.changes import retired, rolled_back

OWN, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TRUSTED = (OWN.public_key(),)
FIRST = publish(None, 1).model_copy(update={"announced_ns": 10})
SECOND = publish(FIRST, 2).model_copy(update={"announced_ns": 20})


def signed(assignment: Assignment, key: Ed25519PrivateKey = OWN) -> Record:
    return sign_record(assignment.to_record(), key)


def accept(announcements: Announcements, record: Record) -> None:
    announcements.accept(Assignment.from_record(record), record)


@pytest.mark.parametrize(
    "change",
    [
        {"champion": artefact(9)},
        {"shadow": artefact(9)},
        {"champion": None},
        {"previous": ()},
        {"revision": 7},
        {"announced_ns": 21},
        {"note": "another"},
        {"scope": "all"},
        {"detector": "scream", "champion": None, "previous": ()},
    ],
    ids=lambda change: "+".join(change),
)
def test_a_signature_covers_all_that_is_said(change: dict[str, object]) -> None:
    record = signed(SECOND)
    verify_record(record, TRUSTED)
    other = Assignment.model_validate({**dict(SECOND), **change}).to_record()
    with pytest.raises(WrongSignature):
        verify_record(Record(other.key, other.value, record.headers), TRUSTED)


def test_a_swap_of_stages_is_another_announcement() -> None:
    both = publish(FIRST, 5, "shadow")
    swapped = both.model_copy(update={"champion": both.shadow, "shadow": both.champion})
    with pytest.raises(WrongSignature):
        verify_record(Record(swapped.to_record().key, swapped.to_record().value, signed(both).headers), TRUSTED)


@pytest.mark.parametrize("value", [b"", b"AAAA", "ü".encode(), b"\xff\xfe", b"A" * 900])
def test_a_signature_that_is_none_is_wrong(value: bytes) -> None:
    record = SECOND.to_record()
    with pytest.raises(WrongSignature):
        verify_record(Record(record.key, record.value, (*record.headers, (SIGNATURE, value))), TRUSTED)


def test_nothing_unsigned_or_by_another_key_applies() -> None:
    announcements = Announcements(TRUSTED)
    with pytest.raises(Unsigned):
        accept(announcements, FIRST.to_record())
    with pytest.raises(WrongSignature):
        accept(announcements, signed(FIRST, OTHER))
    with pytest.raises(Unsigned):
        verify_record(Record(b"machine/all", None, ((SIGNATURE, b"AAAA"),)), TRUSTED)
    accept(announcements, signed(FIRST))


def test_without_trusted_keys_everything_applies() -> None:
    announcements = Announcements()
    for assignment in (SECOND, FIRST):
        accept(announcements, assignment.to_record())
    assert not announcements.signed_only


@pytest.mark.parametrize("restart", [False, True])
def test_an_old_announcement_cannot_be_replayed(tmp_path: Path, restart: bool) -> None:
    announcements = Announcements(TRUSTED, tmp_path / "cache")
    accept(announcements, signed(FIRST))
    accept(announcements, signed(SECOND))
    if restart:
        announcements = Announcements(TRUSTED, tmp_path / "cache")
        assert announcements.restored() == [SECOND]
    with pytest.raises(Replayed, match="revision 2"):
        accept(announcements, signed(FIRST))
    # The one that applies may be read again, as a consumer does after a rebalance.
    accept(announcements, signed(SECOND))


def test_a_rollback_and_a_retirement_are_announcements_like_others() -> None:
    announcements = Announcements(TRUSTED)
    back, gone = rolled_back(SECOND, "", 30), retired(SECOND, None, "", 40)
    for assignment in (FIRST, SECOND, back, gone):
        accept(announcements, signed(assignment))
    for assignment in (SECOND, back):
        with pytest.raises(Replayed):
            accept(announcements, signed(assignment))
    assert gone.champion is None


def test_a_topic_made_anew_begins_again_later() -> None:
    announcements = Announcements(TRUSTED)
    accept(announcements, signed(SECOND))
    accept(announcements, signed(publish(None, 3).model_copy(update={"announced_ns": 50})))


def test_what_is_remembered_must_still_be_trusted(tmp_path: Path) -> None:
    accept(Announcements(TRUSTED, tmp_path), signed(SECOND))
    assert Announcements((OTHER.public_key(),), tmp_path).restored() == []
    assert Announcements((), tmp_path).restored() == []
    (stored,) = tmp_path.glob("announced-*.json")
    stored.write_text(stored.read_text().replace("A", "B"))
    assert Announcements(TRUSTED, tmp_path).restored() == []
    stored.write_text("{")
    assert Announcements(TRUSTED, tmp_path).restored() == []


class _Worker:
    """A worker's models topic without Kafka: what its targets want, and the statuses that it reports."""

    def __init__(self, folder: Path) -> None:
        self.models = AssignedModels(
            "", ModelAssignments({}), SimpleNamespace(), self._send, load_detectors(), Announcements(TRUSTED, folder)
        )
        self.wanted: dict[Any, Any] = {}
        self.models._want = self.wanted.__setitem__  # type: ignore[assignment, method-assign]

    async def _send(self, record: Record) -> None: ...

    def read(self, record: Record) -> None:
        self.models.apply(SimpleNamespace(key=record.key, value=record.value, headers=list(record.headers)))

    def champions(self) -> list[str]:
        return [wanted.artefact.version for target, wanted in self.wanted.items() if wanted.artefact is not None]

    def statuses(self) -> list[ModelStatus]:
        return [self.models._unsent.get_nowait() for _ in range(self.models._unsent.qsize())]


async def test_a_worker_follows_signed_announcements_only(tmp_path: Path) -> None:
    worker = _Worker(tmp_path)
    worker.read(signed(FIRST))
    assert worker.champions() == ["1"]
    worker.read(SECOND.to_record())
    worker.read(Record(SECOND.key().encode(), None, ()))
    worker.read(Record(SECOND.key().encode(), None, ((SIGNATURE, b"AAAA"),)))
    worker.read(signed(SECOND, OTHER))
    assert worker.champions() == ["1"]
    assert [(status.error, status.version) for status in worker.statuses()] == [
        ("Unsigned", "2"),
        ("WrongSignature", "2"),
    ]
    worker.read(signed(SECOND))
    worker.read(signed(FIRST))
    assert worker.champions() == ["2"]
    assert [status.error for status in worker.statuses()] == ["Replayed"]


async def test_a_worker_that_restarts_keeps_what_was_removed_from_the_topic(tmp_path: Path) -> None:
    _Worker(tmp_path).read(signed(SECOND))
    worker = _Worker(tmp_path)

    class Nothing:
        async def start(self) -> None: ...
        async def stop(self) -> None: ...
        async def catch_up(self) -> bool:
            return True

    worker.models._follower = Nothing()  # type: ignore[assignment]
    await worker.models.start()
    await worker.models.stop()
    assert worker.champions() == ["2"]


def test_the_errors_say_what_to_do() -> None:
    announcements = Announcements(TRUSTED)
    accept(announcements, signed(SECOND))
    for record, way_out in ((FIRST.to_record(), "TOCSIN_MODEL_KEY"), (signed(FIRST, OTHER), "TOCSIN_MODEL_TRUSTED")):
        with pytest.raises(TocsinError, match=way_out):
            accept(announcements, record)
