"""Bounds of fields: nothing that comes from a topic or a file is of any size."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MAX_INT64 = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=MAX_INT64)]
"""A number of things, an offset, or an index of a sample."""

Rate = Annotated[int, Field(ge=1, le=10_000_000)]
"""A sample rate, Hz."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A digest, hexadecimal."""

Line = Annotated[str, Field(max_length=1_000)]
"""One line for people."""

Label = Annotated[str, Field(max_length=200)]
"""A short text, such as a name that is not checked further."""

Text = Annotated[str, Field(max_length=10_000)]
"""Longer text for people."""
