"""Encodes records' values, and defines the types of fields with the patterns that schemas publish.

msgspec takes 0.7 µs to check a pattern, and most ids of a message are those of a message before. The patterns of
deferred types are therefore left to `Kinds.decode`, which remembers ids (docs/decisions/0053).
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from klatsch.core.ids import CLIENT_ID_PATTERN, UUID_PATTERN, is_client_id, is_uuid

_TIME_PATTERN: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
_UTC: Final = "RFC 3339, UTC"
REMEMBERED_MOST: Final = 16_384
"""The entries of a cache of ids. One has up to three, of a conversation, its writer and its reader: 8 MB in all."""

Uuid = Annotated[str, Meta(pattern=UUID_PATTERN, max_length=36)]
"""An id. The pattern's `$` lets a line end pass in Python; the length does not."""
Time = Annotated[str, Meta(pattern=_TIME_PATTERN, description=_UTC)]
DeferredUuid = Annotated[str, Meta(extra_json_schema={"pattern": UUID_PATTERN})]
RepeatedUuid = Annotated[str, Meta(extra_json_schema={"pattern": UUID_PATTERN}, extra={"repeated": True})]
"""An id that many records have: of a conversation or a person."""
DeferredClientId = Annotated[str, Meta(extra_json_schema={"pattern": CLIENT_ID_PATTERN})]
DeferredTime = Annotated[str, Meta(description=_UTC, extra_json_schema={"pattern": _TIME_PATTERN})]

encode = msgspec.json.Encoder().encode
"""Returns a struct as the bytes of a record's value."""

_split_time = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\.[0-9]{3}Z").fullmatch


@lru_cache(1_024)
def _is_second(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Returns whether a text is a time that PostgreSQL can store, as `core.clock.timestamp` writes it."""
    parts = _split_time(text)
    return parts is not None and _is_second(parts[1])


@lru_cache(REMEMBERED_MOST)
def _check_uuids(texts: tuple[str | None, ...]) -> None:
    """Raises ValueError: what is wrong may be a megabyte long, and an exception is not remembered."""
    if not all(text is None or is_uuid(text) for text in texts):
        raise ValueError


def are_uuids(texts: tuple[str | None, ...]) -> bool:
    """Returns whether all of the texts, but for None, are UUIDs as Klatsch writes them."""
    try:
        _check_uuids(texts)
    except ValueError:
        return False
    return True


DEFERRED: Final[Mapping[Any, Callable[[str], object]]] = {
    DeferredUuid: is_uuid,
    DeferredClientId: is_client_id,
    DeferredTime: is_time,
}
"""The checks of deferred types; `are_uuids` is that of all ids of a record that are `RepeatedUuid`."""
