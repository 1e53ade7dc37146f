"""Construction of pydantic models from trusted values, without validation."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_set = object.__setattr__


def construct_unchecked(kind: type[M], /, **fields: Any) -> M:
    """An instance as ``kind(**fields)`` would be, in a fraction of its time: nothing is checked, nothing converted.

    Only for values that our own code has just computed, on the path of every window; external input is validated.
    pydantic's own ``model_construct`` does the same, but checks every field for defaults and aliases.

    Args:
        kind: a frozen model without private attributes.
        fields: every field, in the model's order: that is their order in JSON.
    """
    instance = kind.__new__(kind)
    _set(instance, "__dict__", fields)
    _set(instance, "__pydantic_fields_set__", _names(kind))
    _set(instance, "__pydantic_extra__", None)
    _set(instance, "__pydantic_private__", None)
    return instance


@cache
def _names(kind: type[BaseModel]) -> set[str]:
    """The names of all fields; one set for all instances, since they are frozen."""
    return set(kind.model_fields)
