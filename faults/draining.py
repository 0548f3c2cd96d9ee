"""Ends a run: nothing new is sent, and everything sent is answered, shown, archived and reloaded."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from faults.client import Client
from faults.history import Listed, ListShown, Token
from faults.injection import until, until_in_thread

_DRAINED_S = 90.0
_AT_ONCE = 4
_STILL_S = 2.5
"""The time without a new record after which no mark is on its way: a gateway appends one within a second."""


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
    ends = await _last_ends(place)
    if not await until(lambda: all(_has_come_to(client, ends) for client in clients), _DRAINED_S):
        raise NotDrained("not everybody was told all")
    if not await until_in_thread(lambda: place.has_archived(ends), _DRAINED_S):
        raise NotDrained("the archive did not catch up")
    if not await until(lambda: all(client.reloading.is_done for client in clients), _DRAINED_S):
        raise NotDrained("not everybody could load what was reset")
    await _load_histories(place.speakers)
    for begin in range(0, len(place.speakers), _AT_ONCE):
        await asyncio.gather(*(_list_conversations(one) for one in place.speakers[begin : begin + _AT_ONCE]))


async def _last_ends(place: Drained) -> dict[int, int]:
    """Returns the log's ends once nothing is appended any more."""
    ends, until_s = await asyncio.to_thread(place.ends), time.monotonic() + _DRAINED_S
    while time.monotonic() < until_s:
        await asyncio.sleep(_STILL_S)
        before, ends = ends, await asyncio.to_thread(place.ends)
        if before == ends:
            return ends
    raise NotDrained("the log did not come to rest")


async def _list_conversations(client: Client) -> None:
    """Notes the person's list of conversations."""
    page = await client.rest.ask("GET", "conversations?limit=100", token=client.person.token)
    shown = [
        Listed(
            one["id"], one["unread"], one["mentions"], one["markers"]["delivered"] or "", one["markers"]["read"] or ""
        )
        for one in page["results"]
    ]
    client.history.write(ListShown(time.monotonic(), shown))


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
