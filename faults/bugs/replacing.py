"""Replaces functions of Klatsch in one process, and puts them back. No bug is in the package itself."""

import sys
from typing import Any

from klatsch.gateway.hub import Hub

_replaced: list[tuple[Any, str, Any]] = []
"""The originals: owner, name and value."""


def put_back() -> None:
    """Undoes all that was planted in this process, for tests."""
    while _replaced:
        setattr(*_replaced.pop())


def replace(owner: object, name: str, by: object) -> None:
    """Replaces an attribute; fails when there is none: such a bug would change nothing."""
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, by)


def is_gateway() -> bool:
    """Returns whether this process is a gateway."""
    return "gateway" in sys.argv


def nobody_is(*_: object, **__: object) -> None:
    """Takes the place of a question whose answer is then always no."""


def keep_writing_after_removal() -> None:
    """Lets gateways append what removed people send, so that there is something to judge."""
    expel = Hub.expel

    def stale(self: Any, person: Any, key: bytes, version: int) -> None:
        writable = person.writable.get(key)
        expel(self, person, key, version)
        if writable is not None:
            person.writable[key] = writable

    replace(Hub, "expel", stale)
