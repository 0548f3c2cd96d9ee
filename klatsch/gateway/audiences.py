"""Sets of people by key, kept small: a gateway holds one for each conversation with a connected member.

People who are alone under thousands of keys share one frozen set. The garbage collector visits every set, and a full
collection blocks the event loop meanwhile.
"""

from collections.abc import Set as AbstractSet
from typing import TypeVar

K = TypeVar("K")
P = TypeVar("P")


def add(audiences: dict[K, AbstractSet[P]], key: K, alone: frozenset[P]) -> None:
    """Adds the one person of `alone`, which is always one and the same set for a person."""
    audience = audiences.get(key)
    if audience is None:
        audiences[key] = alone
    elif isinstance(audience, set):
        audience |= alone
    elif audience is not alone:
        audiences[key] = {*audience, *alone}


def remove(audiences: dict[K, AbstractSet[P]], key: K, one: P) -> None:
    """Removes a person, and the key with its last person."""
    audience = audiences.get(key)
    if audience is None or one not in audience:
        return
    if len(audience) == 1:
        del audiences[key]
    elif isinstance(audience, set):
        audience.discard(one)
