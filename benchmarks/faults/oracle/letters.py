"""Dead letters: each broken record is given back, whole or by its digest, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from benchmarks.faults.oracle.evidence import Finding, Message, Told
from benchmarks.faults.oracle.sound import Place, Sound

_PREFIX = "tocsin_error_"


def judge_letters(audio: Sequence[Message], letters: Sequence[Message], sound: Sound, told: Told) -> list[Finding]:
    """Holds the dead letters against the broken records.

    Args:
        audio: the audio topic.
        letters: the dead letter topic.
        sound: which records are broken, by the oracle's own reading.
        told: how many broken records the schedule sent, of which the oracle must find at least as many, and devices
            whose sound may be refused though each of its records is a chunk.
    """
    originals = {(message.partition, message.offset): message for message in audio}
    found: dict[Place, list[Message]] = {}
    wrong = []
    for letter in letters:
        said = _said(letter)
        try:
            place = int(said["partition"]), int(said["offset"])
        except (KeyError, ValueError):
            wrong.append(f"letter {letter.partition}/{letter.offset} does not say where its record stands")
            continue
        # A letter about a batch that was not read stands for all its records.
        for offset in range(place[1], int(said.get("last_offset", place[1])) + 1):
            found.setdefault((place[0], offset), []).append(letter)
        device = (originals[place].key or b"").decode(errors="replace") if place in originals else ""
        if place not in sound.broken and device not in told.exceptional:
            wrong.append(f"letter for audio {place}, which is not broken: {said.get('class')} {said.get('message')}")
        elif (difference := _difference(originals[place], letter, said)) is not None:
            wrong.append(f"letter for audio {place} ({sound.broken.get(place, 'refused')}): {difference}")
    missing = [
        f"audio {place} of key {originals[place].key!r:.60} ({reason}) has no letter"
        for place, reason in sound.broken.items()
        if place not in found
    ]
    unseen = []
    if len(sound.broken) < told.broken:
        unseen = [f"{told.broken} broken records were sent, and {len(sound.broken)} are found"]
    return [
        Finding("each broken record has a dead letter", len(sound.broken), tuple(missing + unseen)),
        Finding("each dead letter is its record, byte for byte or by digest", len(letters), tuple(wrong)),
    ]


def _said(letter: Message) -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX): (value or b"").decode(errors="replace")
        for name, value in letter.headers
        if name.startswith(_PREFIX)
    }


def _difference(original: Message, letter: Message, said: Mapping[str, str]) -> str | None:
    """What a letter lacks of its record; None where it is whole, or says what it is by size and digest."""
    if said.get("abridged") == "batch":
        return None if {"size", "sha256", "last_offset"} <= said.keys() else "a batch without size, digest or place"
    if said.get("abridged") == "record":
        return _abridged(original, letter, said)
    count = len(original.headers)
    if letter.key != original.key:
        return f"key {letter.key!r:.60} is not {original.key!r:.60}"
    if not _same_value(original, letter.value):
        return f"{len(letter.value or b'')} bytes are not the record's {len(original.value or b'')}"
    if letter.headers[:count] != original.headers:
        return "other headers"
    added: Mapping[str, object] = dict(letter.headers[count:])
    return None if all(name.startswith(_PREFIX) for name in added) else f"further headers {sorted(added)}"


def _same_value(original: Message, value: bytes | None) -> bool:
    return sha256(value or b"").hexdigest() == original.digest if original.digest else value == original.value


def _abridged(original: Message, letter: Message, said: Mapping[str, str]) -> str | None:
    if original.value is None:
        return None if said.get("size") == "null" else "the record has no value"
    digest = original.digest or sha256(original.value).hexdigest()
    if (said.get("size"), said.get("sha256")) != (str(len(original.value)), digest):
        return f"size {said.get('size')} or digest {said.get('sha256')} is not the record's"
    if not original.digest and not original.value.startswith(letter.value or b""):
        return "the first bytes are not the record's"
    if "key_sha256" in said:
        return None if said["key_sha256"] == sha256(original.key or b"").hexdigest() else "another key's digest"
    return None if letter.key == original.key else "another key"
