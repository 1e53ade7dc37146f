"""A password in an address is in no error, wherever the address is given and however it is malformed."""

from __future__ import annotations

import os
from collections.abc import Callable
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.adapters.models.artefact_store import ArtefactStore
from processors.adapters.redis.redis_states import RedisStates
from schemas.addresses import without_password
from schemas.errors import TocsinError
from tocsin.addresses import kafka_connection, redis_address
from tocsin.settings import Settings, load_settings
from tocsin.stack import redis_service
from tocsin.stack.kafka_probe import parse_bootstrap

# Two halves that occur nowhere else, so that half a password is found too.
HALVES = ("hunTER2zq", "swordFISHx")
JOINTS = st.sampled_from(
    ["", "-", "@", "/", "?", "#", ":", "%40", " ", ";", "&", ",", "[", "]", "\\", "é", "\n", "://"]
)
SCHEMES = st.sampled_from(
    [
        "",
        "redis://",
        "rediss://",
        "unix://",
        "s3://",
        "http://",
        "file://",
        "kafka://",
        "REDIS://",
        "redis:/",
        "redis:",
        "//",
        "redis//",
    ]
)
USERS = st.sampled_from(["", "me", "me@home", "a%20b"])
HOSTS = st.sampled_from(["", "localhost", "127.0.0.1", "[::1]", "a b", "bucket", "host/../.."])
PORTS = st.sampled_from(["", ":6379", ":x", ":99999999", ":0", ":"])
TAILS = st.sampled_from(["", "/0", "/prefix", "/x?db=1", "#there", "/0?a=b@c"])


@st.composite
def addresses(draw: st.DrawFn) -> str:
    """An address with a password, as user information or in its query; or something like one."""
    password = draw(JOINTS).join(HALVES)
    place = draw(HOSTS) + draw(PORTS) + draw(TAILS)
    if draw(st.booleans()):
        return f"{draw(SCHEMES)}{draw(USERS)}:{password}@{place}"
    return f"{draw(SCHEMES)}{place.partition('?')[0].partition('#')[0]}?password={password}"


def environment(name: str) -> Callable[[str], object]:
    def load(address: str) -> object:
        with mock.patch.dict(os.environ, {name: address}):
            return load_settings()

    return load


PLACES: dict[str, Callable[[str], object]] = {
    "redis option": lambda address: redis_address(Settings(), address),
    "kafka option": lambda address: kafka_connection(Settings(), address),
    "bootstrap": parse_bootstrap,
    "states": RedisStates,
    "store": ArtefactStore,
    "reach": lambda address: redis_service.reach(address, 0.01),
    "log level": environment("TOCSIN_LOG_LEVEL"),
    "kind": environment("TOCSIN_DEFAULT_KIND"),
    "group": environment("TOCSIN_GROUP"),
}


@given(address=addresses())
@example(f"me:{HALVES[0]}{HALVES[1]}@localhost:6379")
@example(f":{HALVES[0]}@localhost")
@settings(max_examples=300, deadline=None)
def test_what_is_shown_of_an_address_holds_no_password(address: str) -> None:
    shown = without_password(address)
    assert not [half for half in HALVES if half in shown]


@pytest.mark.parametrize("place", PLACES)
@given(address=addresses())
@settings(max_examples=80, deadline=None)
def test_no_error_holds_a_password(place: str, address: str) -> None:
    try:
        with mock.patch("socket.socket.connect", side_effect=ConnectionRefusedError(111, "refused")):
            PLACES[place](address.replace("\0", ""))
    except TocsinError as error:
        said = f"{error} {error!r} {error.__cause__}"
        assert not [half for half in HALVES if half in said]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://me:secret@localhost:6379/0?db=1", "redis://localhost:6379/0"),
        ("me:secret@localhost:6379", "localhost:6379"),
        ("redis:secret@localhost", "localhost"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ("nonsense", "nonsense"),
        ("redis://h/0?password=a@b", "redis://***"),
        ("/srv/models", "/srv/models"),
    ],
)
def test_the_rest_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
