"""Waits for a feed that the archive, or another gateway, is ahead of by a moment."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from klatsch.core.errors import Unavailable
from klatsch.eventlog.places import Position
from klatsch.gateway.feed.feed import Feed

AHEAD_S: Final = 2.0
"""The longest wait. A place beyond the log's end is never reached."""
_LOOK_S: Final = 0.01


async def has_come_to(feed: Feed, offsets: Mapping[int, int]) -> bool:
    """Returns whether the feed has read everything before these offsets, once it has; False after `AHEAD_S`."""
    until_s = time.monotonic() + AHEAD_S
    while not feed.has_reached(offsets):
        if time.monotonic() > until_s:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


async def wait_until_read(feed: Feed, place: str) -> None:
    """Returns once the feed has read the record at that position, of this epoch or an earlier one.

    An answer with a position from the archive comes after this, or the record would be pushed to its sender after its
    answer. Raises Unavailable when the feed does not come to it in time.
    """
    position = Position.parse(place)
    if position.epoch == feed.epoch and not await has_come_to(feed, {position.partition: position.offset + 1}):
        raise Unavailable("This gateway has not read that record yet. Try again.", retry_after=1)
