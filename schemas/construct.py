"""Records made of values that are ours, without checking them all again."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_set = object.__setattr__


def construct_unchecked(kind: type[M], /, **fields: Any) -> M:
    """An instance as ``kind(**fields)`` would be, in a fraction of its time: nothing is checked, nothing converted.

    Only for what every window needs and code of ours has just computed; what comes from outside is validated.
    pydantic's own ``model_construct`` does the same, but looks at every field for defaults and aliases.

    Args:
        kind: a frozen model without private attributes.
        fields: every field, in the model's order: that is their order in JSON.
    """
    one = kind.__new__(kind)
    _set(one, "__dict__", fields)
    _set(one, "__pydantic_fields_set__", _names(kind))
    _set(one, "__pydantic_extra__", None)
    _set(one, "__pydantic_private__", None)
    return one


@cache
def _names(kind: type[BaseModel]) -> set[str]:
    """The names of all fields; one set for all instances, which nothing changes as they are frozen."""
    return set(kind.model_fields)
