"""Fields of JSON objects, each read as the type that the rest of the client counts on. No I/O."""

import math
from collections.abc import Mapping
from typing import Any

from klatsch_client.positions import Position


def text(body: Mapping[str, Any], name: str) -> str:
    """Returns a field that is a text; raises KeyError, TypeError."""
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def text_or_none(body: Mapping[str, Any], name: str) -> str | None:
    """Returns a field that is a text, null or absent; raises TypeError."""
    return None if body.get(name) is None else text(body, name)


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Returns a field that is true or false; raises KeyError, TypeError."""
    value = body[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is neither true nor false")
    return value


def whole(body: Mapping[str, Any], name: str) -> int:
    """Returns a field that is a whole number; raises KeyError, TypeError."""
    value = body[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} is no whole number")
    return value


def whole_or_none(body: Mapping[str, Any], name: str) -> int | None:
    """Returns a field that is a whole number, null or absent; raises TypeError."""
    return None if body.get(name) is None else whole(body, name)


def number(body: Mapping[str, Any], name: str) -> float:
    """Returns a field that is a number; raises KeyError, TypeError, and ValueError for NaN and infinities."""
    value = body[name]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{name} is no number")
    if not math.isfinite(value):
        raise ValueError(f"{name} is not finite")
    return float(value)


def texts(values: Any, name: str) -> tuple[str, ...]:
    """Returns a list of texts as a tuple; raises TypeError."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} is no list of texts")
    return tuple(values)


def place_or_none(body: Mapping[str, Any], name: str) -> Position | None:
    """Returns a field that is a position, null or absent; raises TypeError, ValueError."""
    return None if body.get(name) is None else Position.parse(text(body, name))


def counts(body: Mapping[str, Any], name: str) -> dict[str, int]:
    """Returns a field that is an object of whole numbers, null or absent; raises TypeError, AttributeError."""
    values = body.get(name) or {}
    return {key: whole(values, key) for key in dict(values)}
