"""A process that tells marks, whose log is in memory."""

from typing import Any

from klatsch.archive.markers import StoredMarker
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.places import Position
from klatsch.messaging.marking import Marking
from klatsch.messaging.marks import Mark, Marked, Whose, marker_entry
from klatsch.records.decoding import decode
from klatsch.records.markers import MarkerMoved
from tests.support.records import BOB, TEA

WHOSE = Whose(str(TEA), BOB.name, BOB.user_id)


def at(offset: int) -> Position:
    return Position(1, 0, offset)


class Process:
    """The markers of a process whose log is in memory."""

    def __init__(self, *, kept_most: int = 100) -> None:
        self.log = MemoryLog(1)
        self.writer = MemoryWriter(self.log)
        self.marking = Marking(self.writer, shown_most=20, kept_most=kept_most)

    def load(self, whose: Whose = WHOSE, *, read: Position | None = None, **fields: Any) -> None:
        values: dict[str, Any] = {"member_count": 2, "is_shown": True, "unread_from": None} | fields
        stored = StoredMarker(user=whose.user, epoch=1, partitions=1, delivered=read, read=read, last=at(100), **values)
        self.marking.load(whose, stored)

    def read_up_to(self, offset: int, now_s: float, whose: Whose = WHOSE) -> Marked:
        return self.marking.mark(whose, Mark(read=at(offset)), last=at(100), member_count=None, now_s=now_s)

    def flag(self, place: Position) -> Position:
        """Flags as another process does, and learns of it."""
        self.writer.append(marker_entry(WHOSE, Mark(), unread_from=place, own_only=True), lambda _: None)
        self.marking.learn(self.log.records[0][-1])
        return place

    def flag_behind_a_read(self, read: int, place: Position) -> Position:
        """Loads the marker and flags a place while a read waits for the interval of an earlier one to pass."""
        self.load()
        self.read_up_to(1, 0.0)
        self.read_up_to(read, 0.1)
        return self.flag(place)

    def records(self) -> list[MarkerMoved]:
        return [decode(record) for record in self.log.records[0]]

    def reads(self) -> list[str | None]:
        return [event.read for event in self.records()]
