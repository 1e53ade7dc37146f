"""Changes of an assignment as pure functions: the newest record in, its successor out."""

from __future__ import annotations

from schemas.artefact import Artefact
from schemas.assignment import MAX_PREVIOUS, Assignment
from schemas.errors import SettingsError
from schemas.scope import Scope
from schemas.score import Stage


def with_model(
    current: Assignment | None, artefact: Artefact, scope: Scope, stage: Stage, note: str, now_ns: int
) -> Assignment:
    """The assignment with a new champion, whose predecessor is remembered, or with a new shadow.

    Raises:
        SettingsError: the champion itself is published as its shadow.
    """
    base = current or Assignment(detector=artefact.detector, scope=scope, revision=0, announced_ns=now_ns)
    if stage == "shadow":
        if base.champion is not None and base.champion.sha256 == artefact.sha256:
            raise SettingsError(f"{artefact.sha256[:12]} is the champion of {base.key()}: it cannot be its own shadow")
        return _next(base, note, now_ns, shadow=artefact)
    return _next(
        base,
        note,
        now_ns,
        champion=artefact,
        shadow=_shadow_beside(base, artefact),
        previous=_earlier_champions(base, artefact),
    )


def promoted(current: Assignment, note: str, now_ns: int) -> Assignment:
    """The assignment with the shadow as champion; the old champion is remembered.

    Raises:
        SettingsError: there is no shadow.
    """
    if current.shadow is None:
        raise SettingsError(f"{current.key()} has no shadow to promote: publish one with --stage shadow")
    champion = current.shadow
    return _next(current, note, now_ns, champion=champion, shadow=None, previous=_earlier_champions(current, champion))


def rolled_back(current: Assignment, note: str, now_ns: int) -> Assignment:
    """The assignment with the previous champion; the present one is dropped, so rolling back twice goes back two.

    Raises:
        SettingsError: there is no previous champion.
    """
    if not current.previous:
        raise SettingsError(
            f"{current.key()} has no earlier champion: `tocsin models retire` goes back to the wider scope's model"
        )
    champion = current.previous[0]
    return _next(
        current,
        note,
        now_ns,
        champion=champion,
        shadow=_shadow_beside(current, champion),
        previous=current.previous[1:],
    )


def retired(current: Assignment, stage: Stage | None, note: str, now_ns: int) -> Assignment:
    """The assignment without a shadow, or without both models: the wider scope's applies, or the shipped one.

    Args:
        current: the newest record.
        stage: ``shadow`` removes the shadow only; None removes both.
        note: for people.
        now_ns: nanoseconds since 1970.

    Raises:
        SettingsError: there is no model to remove.
    """
    if stage == "shadow":
        if current.shadow is None:
            raise SettingsError(f"{current.key()} has no shadow to retire")
        return _next(current, note, now_ns, shadow=None)
    if current.champion is None and current.shadow is None:
        raise SettingsError(f"{current.key()} has no model to retire")
    return _next(current, note, now_ns, champion=None, shadow=None, previous=_earlier_champions(current, None))


def _shadow_beside(current: Assignment, champion: Artefact) -> Artefact | None:
    """The shadow, unless it is the new champion."""
    shadow = current.shadow
    return None if shadow is not None and shadow.sha256 == champion.sha256 else shadow


def _earlier_champions(current: Assignment, champion: Artefact | None) -> tuple[Artefact, ...]:
    """Champions before ``champion``, newest first, each once."""
    known = {} if champion is None else {champion.sha256}
    past = [artefact for artefact in (current.champion, *current.previous) if artefact is not None]
    unique = {artefact.sha256: artefact for artefact in reversed(past) if artefact.sha256 not in known}
    return tuple(reversed(unique.values()))[:MAX_PREVIOUS]


def _next(current: Assignment, note: str, now_ns: int, **changes: object) -> Assignment:
    fields = {"revision": current.revision + 1, "note": note, "announced_ns": now_ns, **changes}
    return Assignment.model_validate({**dict(current), **fields})
