"""Encodes records' values, and defines the types of fields with the patterns that schemas publish."""

from typing import Annotated

import msgspec
from msgspec import Meta

from klatsch.core.ids import UUID_PATTERN

Uuid = Annotated[str, Meta(pattern=UUID_PATTERN)]
Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC")]

encode = msgspec.json.Encoder().encode
"""Returns a struct as the bytes of a record's value."""
