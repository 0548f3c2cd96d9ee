"""The part of the feed's memory that a replay takes at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from klatsch.eventlog.log import Record
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.portions import size_of
from klatsch.gateway.replay_limits import ToldChanges
from klatsch.records.keys import PERSON

_WINDOW_BYTES: Final = 131_072
"""The size of the records that a replay takes from memory at once: they stay if memory drops them meanwhile."""


@dataclass(frozen=True, slots=True)
class Window:
    """The next records of memory, each under the key that it was found by. `whole` if none remain before `ends`."""

    records: list[tuple[bytes, Record]]
    size: int
    ends: list[int]
    whole: bool


def next_window(feed: Feed, person: ConnectedPerson, offsets: Sequence[int], told: ToldChanges) -> Window:
    """Returns the person's next records from `offsets` on; conversations beyond the limits of `told` are lost there."""
    own = {PERSON.of(person.user_id)}
    found: dict[tuple[int, int], tuple[bytes, Record]] = {}
    for key, records in chain(feed.recent.since(person.access.keys(), offsets), feed.recent.since(own, offsets)):
        if told.is_beyond(key, len(records), len(found)):
            told.lose([key], "too_far_behind")
        if key not in told.lost:
            found |= {(record.partition, record.offset): (key, record) for record in records}
    chosen: list[tuple[bytes, Record]] = []
    size = 0
    for place in sorted(found):
        if size >= _WINDOW_BYTES:
            break
        chosen.append(found[place])
        size += size_of(found[place])
    return Window(chosen, size, list(feed.offsets), len(chosen) == len(found))
