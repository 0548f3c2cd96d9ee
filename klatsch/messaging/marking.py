"""Marks: how far people have received and read, gathered in a process and appended now and then (D19).

A person who reads marks every message, and a marker covers all before it. One record a second for a person and a
conversation therefore tells as much as one for each mark; in large conversations one in ten seconds does.
"""

import heapq
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from klatsch.archive.markers import LARGE_FROM, StoredMarker
from klatsch.core.errors import Unavailable
from klatsch.core.metrics import MARKERS, MARKS
from klatsch.eventlog.log import Entry, LogError, LogWriter, Record, Report
from klatsch.eventlog.places import Position
from klatsch.messaging.marks import Mark, Marked, Whose, clamp, flag_told, highest, marker_entry, parsed
from klatsch.records.markers import MarkerMoved, marked_by

INTERVAL_S: Final = 1.0
INTERVAL_LARGE_S: Final = 10.0
"""The time between two records of a person and a conversation, and that in a conversation of more than LARGE_FROM."""
KEPT_MOST: Final = 100_000
"""The markers that a process holds, about 60 MB. Beyond, the oldest is appended if need be, and read again later."""
FLUSH_EVERY_S: Final = 0.25
_AGAIN_S: Final = 1.0
"""The pause before a marker that the log did not take is appended again."""


@dataclass(slots=True)
class _Kept:
    """A marker, and what of it is not in the log yet. It is due at `due_s`, None if nothing is missing.

    `moved`: a position is higher. `flagged`: the flag "unread from here" is to be told, as it is then, after that.
    """

    whose: Whose
    now: Marked
    last: Position | None
    member_count: int
    is_shown: bool
    appended_s: float = float("-inf")
    due_s: float | None = None
    moved: bool = False
    flagged: bool = False


class _Again(NamedTuple):
    """Tells what of a marker is to be appended again if the log does not take a record."""

    moved: bool
    flagged: bool


class Marking:
    """The markers of a process, from any thread. A crash loses those of the last interval: clients repeat them.

    `shown_most` is the number of members up to which others are told how far a person has read. `flush` appends what
    is due, and `drain` everything.
    """

    def __init__(self, log: LogWriter, *, shown_most: int, kept_most: int = KEPT_MOST) -> None:
        self._log = log
        self._shown_most = shown_most
        self._kept_most = kept_most
        self._lock = threading.RLock()  # a writer may report while it appends
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._due: list[tuple[float, bytes]] = []
        self._hidden: OrderedDict[str, bool] = OrderedDict()

    def find(self, whose: Whose) -> Marked | None:
        """Returns the marker if it is held; None means that the archive has to be asked."""
        with self._lock:
            kept = self._kept.get(whose.name)
            return None if kept is None else kept.now

    def last_known(self, whose: Whose) -> Position | None:
        """Returns the place of the last message, as far as it was known when the marker was last read."""
        with self._lock:
            kept = self._kept.get(whose.name)
            return None if kept is None else kept.last

    def load(self, whose: Whose, stored: StoredMarker) -> None:
        """Takes a marker from the archive, unless a higher one is held; raises Unavailable at the bound."""
        with self._lock:
            kept = self._kept.get(whose.name)
            if kept is None:
                now = Marked(stored.delivered, stored.read, stored.unread_from)
                self._make_room()
                self._kept[whose.name] = _Kept(whose, now, stored.last, stored.member_count, stored.is_shown)
                return
            kept.last, kept.member_count, kept.is_shown = stored.last, stored.member_count, stored.is_shown
            now = highest(kept.now, stored.delivered, stored.read)
            # A flag too many costs a record that changes nothing. A flag too few would stay after it was read. While
            # the flag here is to be told, it is newer than the archive's, which would be told instead.
            flag = now.unread_from if kept.flagged else now.unread_from or stored.unread_from
            kept.now = Marked(now.delivered, now.read, flag)
            self._kept.move_to_end(whose.name)

    def mark(
        self, whose: Whose, mark: Mark, *, last: Position | None, member_count: int | None, now_s: float
    ) -> Marked:
        """Moves a held marker and returns it as it is then; lower positions change nothing. Never blocks.

        `last` is the place of the conversation's last message; `member_count` is None where the archive's counts.
        A `read` takes the flag "unread from here" away.
        """
        MARKS.inc()
        with self._lock:
            kept = self._kept[whose.name]
            self._kept.move_to_end(whose.name)
            kept.member_count = kept.member_count if member_count is None else member_count
            before = kept.now
            now = highest(before, clamp(mark.delivered, last), clamp(mark.read, last))
            rises = now.read != before.read
            if mark.read is not None and now.unread_from is not None:
                now = Marked(now.delivered, now.read)
                kept.flagged = not rises
            kept.moved |= rises or now.delivered != before.delivered
            kept.now = now
            if (kept.moved or kept.flagged) and kept.due_s is None:
                self._schedule(kept, max(now_s, kept.appended_s + self._interval_s(kept)), now_s)
            return now

    def holds(self, record: Record) -> bool:
        """Returns whether the marker that a record moves is held, so that `learn` decodes the record."""
        return _name_of(record) in self._kept

    def learn(self, record: Record) -> None:
        """Takes a sound marker that was read from the log, if it is held: another device moved it.

        A flag that was set after a mark which is not in the log yet is told again after that mark: it would clear it.
        """
        name = _name_of(record)
        if name not in self._kept:
            return
        event = msgspec.json.decode(record.value, type=MarkerMoved)
        with self._lock:
            kept = self._kept.get(name)
            if kept is not None:
                before = kept.now
                now = highest(before, parsed(event.delivered), parsed(event.read))
                flag = None if now.read != before.read else before.unread_from
                kept.now = Marked(now.delivered, now.read, flag_told(event.unread_from, flag))
                kept.flagged |= kept.moved and isinstance(event.unread_from, str)

    def learn_receipts(self, user_id: str, *, is_shown: bool) -> None:
        """Takes a person's choice whether others see how far they have read, as their record tells it."""
        with self._lock:
            self._hidden[user_id] = not is_shown
            self._hidden.move_to_end(user_id)
            if len(self._hidden) > self._kept_most:
                self._hidden.popitem(last=False)

    def flush(self, now_s: float) -> None:
        """Appends the markers that are due; call it a few times a second."""
        with self._lock:
            while self._due and self._due[0][0] <= now_s:
                _, name = heapq.heappop(self._due)
                kept = self._kept.get(name)
                if kept is not None and kept.due_s is not None and kept.due_s <= now_s:
                    self._append(kept, now_s)

    def drain(self, now_s: float) -> None:
        """Appends every marker that is not in the log yet."""
        with self._lock:
            for kept in self._kept.values():
                if kept.due_s is not None:
                    self._append(kept, now_s)

    def append(self, whose: Whose, now_s: float) -> None:
        """Appends now what the log does not have of a marker: before a record that must come after it."""
        with self._lock:
            kept = self._kept.get(whose.name)
            if kept is not None and kept.due_s is not None:
                self._append(kept, now_s)

    def _interval_s(self, kept: _Kept) -> float:
        return INTERVAL_LARGE_S if kept.member_count > LARGE_FROM else INTERVAL_S

    def _schedule(self, kept: _Kept, due_s: float, now_s: float) -> None:
        kept.due_s = due_s
        if due_s <= now_s:
            self._append(kept, now_s)
        else:
            heapq.heappush(self._due, (due_s, kept.whose.name))

    def _append(self, kept: _Kept, now_s: float) -> None:
        """Appends what is not in the log yet; where the log does not take it, again a second later."""
        moved, flagged = kept.moved, kept.flagged
        kept.due_s, kept.appended_s, kept.moved, kept.flagged = None, now_s, False, False
        try:
            if moved:
                mark = Mark(kept.now.delivered, kept.now.read)
                entry = marker_entry(kept.whose, mark, own_only=self._is_hidden(kept))
                # A move that comes late clears the flag, which is then told again after it.
                self._write(kept, entry, _Again(moved=True, flagged=flagged))
            if flagged:
                entry = marker_entry(kept.whose, Mark(), unread_from=kept.now.unread_from, own_only=True)
                self._write(kept, entry, _Again(moved=False, flagged=True))
        except LogError:
            kept.moved, kept.flagged = moved, flagged
            self._schedule(kept, now_s + _AGAIN_S, now_s)

    def _is_hidden(self, kept: _Kept) -> bool:
        hidden = self._hidden.get(kept.whose.user_id, not kept.is_shown)
        return hidden or kept.member_count > self._shown_most

    def _write(self, kept: _Kept, entry: Entry, again: _Again) -> None:
        name = kept.whose.name
        self._log.append(entry, lambda report: self._reported(name, again, report))
        MARKERS.inc()

    def _reported(self, name: bytes, again: _Again, report: Report) -> None:
        """Takes the writer's report, on its thread: what may not be in the log is appended again.

        A marker that was forgotten meanwhile, to make room, is lost, like those of a crash: holding it again would
        exceed the bound.
        """
        if report.error is None:
            return
        with self._lock:
            kept = self._kept.get(name)
            if kept is None:
                return
            kept.moved |= again.moved
            # A move that comes again clears a flag that was set meanwhile: it is told again after the move.
            kept.flagged |= again.flagged or (again.moved and kept.now.unread_from is not None)
            if kept.due_s is None:
                self._schedule(kept, kept.appended_s + _AGAIN_S, kept.appended_s)

    def _make_room(self) -> None:
        """Forgets the marker that was moved longest ago, after appending what the log does not have of it."""
        if len(self._kept) < self._kept_most:
            return
        name, kept = next(iter(self._kept.items()))
        if kept.due_s is not None:
            self._append(kept, kept.due_s)
        if kept.due_s is not None:
            raise Unavailable("Too many markers wait for the log. Try again later.", retry_after=1)
        del self._kept[name]


def _name_of(record: Record) -> bytes:
    """Returns the name of the person and the conversation of a marker, as `Whose.name` has it."""
    return marked_by(record.judge) + record.key


class Flushing:
    """Flushes markers from a thread of its own, in a process without an event loop for it."""

    def __init__(self, marking: Marking) -> None:
        self._marking = marking
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="markers", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_EVERY_S):
            self._marking.flush(time.monotonic())

    def stop(self) -> None:
        """Ends the thread. What is not in the log stays with the markers."""
        self._stopping.set()
        self._thread.join()
