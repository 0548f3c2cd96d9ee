"""The recently pushed records, by conversation: a gateway replays them without I/O (D7)."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter

from klatsch.eventlog.log import Record
from klatsch.gateway.feed.held_markers import HeldMarkers, whose_marker
from klatsch.records.header import NEW_MESSAGE
from klatsch.records.markers import has_read, has_received

_PARTS = 16
_MESSAGE = NEW_MESSAGE.to_bytes(1, "big")
_offset_of = attrgetter("offset")
RECORD_BYTES = 500
"""The measured size of a record besides its value: key, headers, numbers, and its place in a list and a dictionary."""


@dataclass(slots=True)
class _Part:
    """The pushes from `begins` on, until the next part begins; `size` in bytes."""

    begins: list[int]
    records: dict[bytes, list[Record]] = field(default_factory=dict)
    markers: HeldMarkers = field(default_factory=HeldMarkers)
    deleted: set[bytes] = field(default_factory=set)
    """The ids of messages that a record of this part has deleted."""
    size: int = 0


class Recent:
    """The log's recent records in force, within a bound of bytes. The oldest sixteenth is dropped at once.

    Everything from `begins` on is here, for every conversation, connected or not. `begins` never lies before the first
    offsets, even where earlier records are added.
    """

    def __init__(self, offsets: Sequence[int], bytes_most: int) -> None:
        self._bytes_most = bytes_most
        self._first = list(offsets)
        self._newest = _Part(list(offsets))
        self._parts = deque([self._newest])

    @property
    def begins(self) -> list[int]:
        """Returns each partition's first offset from which nothing is missing."""
        return self._parts[0].begins

    @property
    def size(self) -> int:
        """Returns the approximate size in bytes."""
        return sum(part.size for part in self._parts)

    def add(self, key: bytes, record: Record) -> None:
        """Adds a record under the key whose listeners got it, or would have got it."""
        newest = self._newest
        found = newest.records.get(key)
        if found is None:
            newest.records[key] = [record]
        else:
            found.append(record)
        newest.size += len(record.value) + RECORD_BYTES

    def note_deletion(self, message_id: bytes) -> None:
        """Remembers that a message is deleted, for as long as the memory may hold a record about it."""
        self._newest.deleted.add(message_id)

    def is_deleted(self, message_id: bytes) -> bool:
        """Returns whether a deletion of that message is held, which comes after all other records about it."""
        return any(message_id in part.deleted for part in self._parts)

    def add_marker(self, key: bytes, record: Record) -> bool:
        """Adds a marker under the key whose listeners get it; returns False for one that is not higher anywhere."""
        whose = whose_marker(record)
        is_read = is_delivered = False
        for part in self._parts:
            people = part.markers.by_key.get(key)
            if people is not None:
                for held in people.get(whose, ()):
                    is_read = is_read or has_read(held.judge, record.judge)
                    is_delivered = is_delivered or has_received(held.judge, record.judge)
        if is_read and is_delivered:
            return False
        self._newest.size += self._newest.markers.put(key, whose, record) * (len(record.value) + RECORD_BYTES)
        return True

    def last_message(self, key: bytes) -> Record | None:
        """Returns the conversation's last message, if it is held."""
        for part in reversed(self._parts):
            for record in reversed(part.records.get(key, ())):
                if record.judge[:1] == _MESSAGE:
                    return record
        return None

    def find(self, key: bytes, partition: int, offset: int) -> Record | None:
        """Returns the record at that place, if it is held under `key`, which is that of a conversation.

        A conversation's records are of one partition and in its order.
        """
        for part in self._parts:
            records = part.records.get(key, ())
            place = bisect_left(records, offset, key=_offset_of)
            if place < len(records) and records[place].offset == offset and records[place].partition == partition:
                return records[place]
        return None

    def turn(self, offsets: Sequence[int]) -> None:
        """Drops what exceeds the bound. Call it between batches, with the offset of each partition."""
        if self._newest.size >= self._bytes_most // _PARTS:
            self._newest = _Part([max(places) for places in zip(offsets, self._first, strict=True)])
            self._parts.append(self._newest)
        while self.size > self._bytes_most:  # never the newest part, which has less than a sixteenth
            self._parts.popleft()

    def missing(self, offsets: Sequence[int]) -> set[int]:
        """Returns the partitions of which something from `offsets` on was dropped."""
        pairs = zip(offsets, self.begins, strict=True)
        return {partition for partition, (offset, begin) in enumerate(pairs) if offset < begin}

    def since(self, keys: AbstractSet[bytes], offsets: Sequence[int]) -> Iterator[tuple[bytes, list[Record]]]:
        """Yields, for each of the keys that has any, its records from `offsets` on, and markers among them.

        The cost depends on the records under these keys, not on the number of keys: a person may have 50,000.
        """
        parts = self._from(offsets)
        held: set[bytes] = set().union(
            *(part.records.keys() & keys for part in parts), *(part.markers.keys() & keys for part in parts)
        )
        for key in sorted(held):
            found = [
                record
                for part in parts
                for record in chain(part.records.get(key, ()), part.markers.of(key))
                if record.offset >= offsets[record.partition]
            ]
            if found:
                yield key, found

    def _from(self, offsets: Sequence[int]) -> list[_Part]:
        """Returns the parts that hold anything from there on."""
        parts = list(self._parts)
        for after in range(len(parts) - 1, 0, -1):
            if all(begin <= offset for begin, offset in zip(parts[after].begins, offsets, strict=True)):
                return parts[after:]
        return parts
