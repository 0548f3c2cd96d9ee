"""Ends a run: nothing new is sent, and everything sent is answered, shown, archived and reloaded."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from faults.client import Client
from faults.history import Token
from faults.injection import until, until_in_thread

_DRAINED_S = 90.0
_AT_ONCE = 4


class NotDrained(Exception):
    """Raised with a sentence about what did not happen."""


class Drained(Protocol):
    """The interface of a drained world. `ends` and `has_archived` may block."""

    @property
    def clients(self) -> list[Client]: ...
    @property
    def speakers(self) -> list[Client]: ...
    def ends(self) -> dict[int, int]: ...
    def has_archived(self, ends: dict[int, int]) -> bool: ...


async def drain(place: Drained) -> None:
    """Returns when all concerned clients know everything; raises NotDrained otherwise."""
    clients = place.clients
    if not await until(lambda: all(c.is_ready and c.sends.is_empty for c in clients), _DRAINED_S):
        raise NotDrained("not everybody had all answers")
    ends = await asyncio.to_thread(place.ends)
    if not await until(lambda: all(_has_come_to(client, ends) for client in clients), _DRAINED_S):
        raise NotDrained("not everybody was told all")
    if not await until_in_thread(lambda: place.has_archived(ends), _DRAINED_S):
        raise NotDrained("the archive did not catch up")
    if not await until(lambda: all(client.reloading.is_done for client in clients), _DRAINED_S):
        raise NotDrained("not everybody could load what was reset")
    await _load_histories(place.speakers)


async def _load_histories(speakers: Sequence[Client]) -> None:
    """Loads every conversation once, whole, by one of its members."""
    readers: dict[str, Client] = {}
    for client in speakers:
        for conversation in client.person.conversations:
            readers.setdefault(conversation, client)
    pairs = list(readers.items())
    for begin in range(0, len(pairs), _AT_ONCE):
        await asyncio.gather(*(
            client.reloading.load(conversation, 0, client.token or "")
            for conversation, client in pairs[begin : begin + _AT_ONCE]
        ))  # fmt: skip


def _has_come_to(client: Client, ends: dict[int, int]) -> bool:
    return client.token is not None and all(
        Token.parse(client.token).offsets[partition] >= end for partition, end in ends.items()
    )
