"""Scopes: which devices a policy or an assignment applies to, and which takes precedence."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from schemas.errors import SettingsError
from schemas.scope import ALL, Scope, scopes_of


class Holder(BaseModel):
    scope: Scope


@pytest.mark.parametrize("text", ["all", "kind:machine", "device:pump-1"])
def test_a_scope_is_its_text_in_json_too(text: str) -> None:
    holder = Holder.model_validate_json(f'{{"scope": "{text}"}}')

    assert (holder.scope, hash(holder.scope)) == (text, hash(text))
    assert isinstance(holder.scope, Scope)
    assert holder.model_dump_json() == f'{{"scope":"{text}"}}'


@pytest.mark.parametrize("text", ["", "everything", "device:", "device:a b", "kind:-x", "fleet:a", "all\n"])
def test_a_malformed_scope_is_named_everywhere(text: str) -> None:
    with pytest.raises(ValueError, match="is not a scope: give all, kind:KIND or device:ID"):
        Scope(text)
    with pytest.raises(ValidationError, match="is not a scope"):
        Holder(scope=text)
    with pytest.raises(SettingsError, match=r"--scope .*: give all, kind:machine, kind:room or device:ID"):
        Scope.from_option(text)


def test_a_user_names_kinds_that_exist_and_a_record_may_name_others() -> None:
    assert Scope("kind:garden") == "kind:garden"
    with pytest.raises(SettingsError, match=r"--on 'kind:garden': give all, kind:machine"):
        Scope.from_option("kind:garden", "--on")


def test_the_narrowest_scope_of_a_device_comes_first() -> None:
    assert scopes_of("pump-1", "machine") == (Scope.of_device("pump-1"), Scope.of_kind("machine"), ALL)


def test_the_json_schema_states_the_pattern() -> None:
    assert Holder.model_json_schema()["properties"]["scope"]["pattern"].startswith("^(all|kind:")
