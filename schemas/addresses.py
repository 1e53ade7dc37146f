"""Addresses without their passwords, for messages and logs."""

from __future__ import annotations


def without_password(url: str) -> str:
    """A URL without user, password and query."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"
