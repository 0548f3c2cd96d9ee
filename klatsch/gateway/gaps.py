"""Tells a connection of what a replay left out: memberships that have ended, and conversations to reload (D7)."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from itertools import islice

from klatsch.core.metrics import RESETS
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.portions import ended_states
from klatsch.gateway.turns import slices


async def tell_ended(
    person: ConnectedPerson, outbox: Outbox, given_up: Collection[int], *, partitions: int, most: int
) -> None:
    """Tells the ended memberships in the partitions given up, which no reset names, as the peer takes them.

    The hub knows them, so that not everybody asks PostgreSQL after an outage. Of more than `most`, it tells those that
    it learned last. `partitions` is the number of all.
    """
    async for some in slices(list(reversed(person.versions)) if given_up else []):
        await outbox.stream([])  # before the memberships are looked at: they are told in the order of the pushes
        if outbox.closed or most <= 0:
            return
        ended = (key for key in some if key not in person.access and partition_of(key, partitions) in given_up)
        frames = [protocol.wire(push) for push in ended_states(person, islice(ended, most))]
        most -= len(frames)
        await outbox.stream(frames)


async def tell_resets(
    person: ConnectedPerson, outbox: Outbox, reset: Mapping[bytes, str], now: Callable[[str], str]
) -> None:
    """Tells the conversations to reload, one frame in each turn of the loop, as the peer takes them.

    Each frame has the place of its moment, which `now` gives for a person, so that a reload includes what was pushed
    before that frame.
    """
    for why in sorted(set(reset.values())):
        found = (key.decode("ascii") for key, reason in reset.items() if reason == why and key in person.access)
        while not outbox.closed and (names := list(islice(found, protocol.RESET_MOST))):
            RESETS.labels(why).inc(len(names))
            outbox.answer(protocol.push_reset(names, why, now(person.user_id)))
            await asyncio.sleep(0)
            await outbox.stream([])
