"""Every field of every model of the contract is bounded; found by introspection, so that a new one is as well."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import BaseModel

import schemas
from schemas.cloudevents import MAX_NS, format_time
from schemas.event import Event


def models() -> list[type[BaseModel]]:
    found = {
        value
        for module in pkgutil.iter_modules(schemas.__path__)
        for value in vars(importlib.import_module(f"schemas.{module.name}")).values()
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__.startswith("schemas.")
    }
    return sorted(found, key=lambda model: model.__name__)


def unbounded(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Paths of strings, numbers and collections in a JSON Schema that may be of any size; references are not followed:
    each model is visited by itself."""
    for part in (part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())):
        yield from unbounded(part, path)
    if "const" in schema or "enum" in schema:
        return
    kind = schema.get("type")
    if kind == "string" and "maxLength" not in schema and not _is_bounded(schema.get("pattern")):
        yield f"{path}: a string"
    if kind == "integer":
        if not {"minimum", "exclusiveMinimum"} & schema.keys():
            yield f"{path}: an integer without a minimum"
        if not {"maximum", "exclusiveMaximum"} & schema.keys():
            yield f"{path}: an integer without a maximum"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{path}: a list"
        for part in (schema.get("items", {}), *schema.get("prefixItems", ())):
            yield from unbounded(part, f"{path}[]")
    if kind == "object" and "additionalProperties" in schema and schema["additionalProperties"] is not False:
        if "maxProperties" not in schema:
            yield f"{path}: a dictionary"
        yield from unbounded({"type": "string", **schema.get("propertyNames", {})}, f"{path} keys")
        values = schema["additionalProperties"]
        yield from unbounded(values if isinstance(values, dict) else {"type": "string"}, f"{path} values")


def _is_bounded(pattern: str | None) -> bool:
    """Whether a pattern, whole and without unlimited repetition, bounds the length."""
    if pattern is None or not (pattern.startswith("^") and pattern.endswith("$")):
        return False
    outside_sets = re.sub(r"\[[^]]*\]", "", pattern)
    return not re.search(r"[*+]|\{\d+,\}", outside_sets)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_field_is_bounded(model: type[BaseModel]) -> None:
    properties = model.model_json_schema().get("properties", {})
    assert [found for name, schema in properties.items() for found in unbounded(schema, name)] == []


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_numbers_are_finite(model: type[BaseModel]) -> None:
    has_floats = '"number"' in str(model.model_json_schema().get("properties", {})).replace("'", '"')
    assert not has_floats or model.model_config.get("allow_inf_nan") is False


def test_the_walk_finds_the_contract() -> None:
    names = {model.__name__ for model in models()}
    assert {"Alert", "Score", "Device", "Notice", "Policy", "Assignment", "Manifest", "FeatureSpec"} <= names
    assert {model.__name__ for model in Event.__subclasses__() if model.__module__.startswith("schemas.")} <= names


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "string", "pattern": "[a-z]{3}"},
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
        {"type": "array", "items": {"type": "number"}},
        {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "number"}, "maxProperties": 3},
    ],
)
def test_the_walk_finds_what_is_unbounded(schema: dict[str, Any]) -> None:
    assert list(unbounded(schema, "x"))


def test_every_time_can_be_shown_in_every_zone() -> None:
    for zone in (timezone(timedelta(hours=14)), timezone(timedelta(hours=-12)), UTC):
        # As seconds in a float, which rounds up.
        assert datetime.fromtimestamp(MAX_NS / 1e9, zone).year == 9999
    assert format_time(MAX_NS).startswith("9999-12-29T23:59:59")
