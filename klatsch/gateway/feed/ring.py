"""Remembers the log's last minutes, so that a copy or a late change is recognized without I/O (D3, D18).

It holds the own ids of messages and changes, and the messages that were changed.
"""

from typing import Final

from klatsch.eventlog.log import LogError, Record
from klatsch.records.header import judged_body, judged_id, judged_target
from klatsch.records.verdicts import Target

_PARTS: Final = 4
_BODY_BITS: Final = 64
_BODY_MASK: Final = 2**_BODY_BITS - 1
ENTRY_BYTES: Final = 140
"""The measured size of an entry: the id, one number, and their place in a dictionary."""
ENTRIES_MOST: Final = 10_000_000
"""1.4 GB, and 66,000 messages a second for 150 s: more than a gateway reads."""


class RingFull(LogError):
    """Raised when the span holds more messages than may be remembered: copies would go unrecognized."""


class _Line:
    """One partition's ids, in parts of a quarter of the span. `begun_ms` holds when each part began, newest first.

    `targets` has the changed messages, each in the part of its last change.
    """

    __slots__ = ("begun_ms", "newest", "parts", "targets", "turn_at_ms")

    def __init__(self, begun_ms: int) -> None:
        self.parts: list[dict[bytes, int]] = [{} for _ in range(_PARTS + 1)]
        self.targets: list[dict[bytes, Target]] = [{} for _ in range(_PARTS + 1)]
        self.newest = self.parts[0]
        self.begun_ms = [begun_ms] * len(self.parts)
        self.turn_at_ms = 0

    def turn(self, now_ms: int, part_ms: int) -> None:
        self.turn_at_ms = now_ms + part_ms
        self.parts.pop()
        self.newest = {}
        self.parts.insert(0, self.newest)
        self.targets.pop()
        self.targets.insert(0, {})
        self.begun_ms = [now_ms, *self.begun_ms[:-1]]

    def find(self, message_id: bytes) -> int | None:
        for part in self.parts:
            known = part.get(message_id)
            if known is not None:
                return known
        return None

    def find_target(self, target_id: bytes) -> Target | None:
        for part in self.targets:
            target = part.get(target_id)
            if target is not None:
                return target
        return None

    def keep_target(self, target_id: bytes, target: Target) -> None:
        for part in self.targets[1:]:
            part.pop(target_id, None)
        self.targets[0][target_id] = target


class Ring:
    """Remembers the first place and the body of every message id of the last `span_s` seconds.

    Time is the log's, per partition: a gateway that reads hours of backlog remembers no more than one that was
    running. Ids are dropped a quarter of the span at a time. Those of a quiet partition are dropped with its next
    records.
    """

    def __init__(self, partitions: int, span_s: float, now_ms: int = 0, entries_most: int = ENTRIES_MOST) -> None:
        span_ms = int(span_s * 1_000)
        self._part_ms = span_ms // _PARTS
        self._entries_most = entries_most
        self._span_s = span_s
        self._lines = [_Line(now_ms - span_ms) for _ in range(partitions)]

    def __len__(self) -> int:
        return sum(len(part) for line in self._lines for parts in (line.parts, line.targets) for part in parts)

    def remember(self, record: Record) -> None:
        """Remembers a new message or change at that record's place."""
        line = self._lines[record.partition]
        if record.time_ms >= line.turn_at_ms:
            line.turn(record.time_ms, self._part_ms)
        judge = record.judge
        line.newest[judged_id(judge)] = record.offset << _BODY_BITS | _short(judged_body(judge))

    def find_target(self, record: Record) -> Target | None:
        """Returns what is remembered of the message that a change names."""
        return self._lines[record.partition].find_target(judged_target(record.judge))

    def find_id(self, partition: int, own_id: bytes) -> int | None:
        """Returns the offset of the message or change of that id, if it is remembered."""
        known = self._lines[partition].find(own_id)
        return None if known is None else known >> _BODY_BITS

    def is_deleted(self, partition: int, message_id: bytes) -> bool:
        """Returns whether a deletion of that message is remembered."""
        target = self._lines[partition].find_target(message_id)
        return target is not None and target.deleted

    def find_changed(self, record: Record) -> Target | None:
        """Returns what is remembered of the message whose id is the record's own."""
        return self._lines[record.partition].find_target(judged_id(record.judge))

    def remember_change(self, record: Record, target: Target) -> None:
        """Remembers a change in force, and its message as it then is, with the reactions of the span."""
        self.remember(record)
        target.forget_reactions(record.time_ms - self._part_ms * _PARTS)
        self._lines[record.partition].keep_target(judged_target(record.judge), target)

    def same_body(self, record: Record, body: bytes) -> bool:
        """Returns whether what is remembered under that record's id has that body (`header.judged_body`)."""
        known = self._lines[record.partition].find(judged_id(record.judge))
        return known is not None and known & _BODY_MASK == _short(body)

    def span_s(self, now_ms: int) -> float:
        """Returns the span for which every id is remembered."""
        return (now_ms - max(line.begun_ms[-1] for line in self._lines)) / 1_000

    def check(self) -> None:
        """Raises RingFull beyond the bound; call it between batches."""
        if len(self) > self._entries_most:
            raise RingFull(
                f"more than {self._entries_most:,} messages in {self._span_s:.0f} s: a gateway cannot remember them. "
                "Lower KLATSCH_RING_SECONDS."
            )


def _short(body: bytes) -> int:
    """Returns 64 bits that depend on every byte: the last one of a digest may be all that differs."""
    return hash(body) & _BODY_MASK
