"""Addresses as they may be shown."""

from __future__ import annotations


def without_password(url: str) -> str:
    """A URL without user and password, wherever they stand in it."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"
