"""The devices that a policy or a model assignment applies to: all, those of a kind, or one."""

from __future__ import annotations

import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.device import DEVICE_KINDS
from schemas.errors import SettingsError
from schemas.identity import NAME

_SCOPE = re.compile(rf"all|kind:(?P<kind>{NAME})|device:{NAME}")


class Scope(str):
    """``all``, ``kind:<device kind>`` or ``device:<device_id>``; the narrowest of a device's scopes takes precedence.

    A scope is its text: it compares, hashes and serialises as the text does.

    Raises:
        ValueError: the text is not a scope.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if _SCOPE.fullmatch(text) is None:
            raise ValueError(f"{text[:120]!r} is not a scope: give all, kind:KIND or device:ID")
        return super().__new__(cls, text)

    @classmethod
    def of_device(cls, device_id: str) -> Self:
        """One device.

        Raises:
            ValueError: ``device_id`` is not a name.
        """
        return cls(f"device:{device_id}")

    @classmethod
    def of_kind(cls, kind: str) -> Self:
        """The devices of a kind.

        Raises:
            ValueError: ``kind`` is not a name.
        """
        return cls(f"kind:{kind}")

    @classmethod
    def from_option(cls, text: str, option: str = "--scope") -> Self:
        """A scope that a user gave, of a kind that exists.

        Raises:
            SettingsError: the text is not a scope, or the kind does not exist.
        """
        match = _SCOPE.fullmatch(text)
        if match is None or match["kind"] not in (None, *DEVICE_KINDS):
            kinds = ", ".join(f"kind:{kind}" for kind in DEVICE_KINDS)
            raise SettingsError(f"{option} {text!r}: give all, {kinds} or device:ID")
        return cls(text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": rf"^(all|kind:{NAME}|device:{NAME})$"}


ALL = Scope("all")


def scopes_of(device_id: str, kind: str) -> tuple[Scope, Scope, Scope]:
    """The scopes that contain a device, in order of precedence: the narrowest first.

    Args:
        device_id, kind: of a manifest or a chunk; not checked again, since every window needs its scopes.
    """
    return str.__new__(Scope, f"device:{device_id}"), str.__new__(Scope, f"kind:{kind}"), ALL
