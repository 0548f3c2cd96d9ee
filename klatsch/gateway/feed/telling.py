"""Frames of records in force, and the answers to their senders (D4, D10)."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import structlog

from klatsch.core.metrics import SKIPPED
from klatsch.core.tracing import trace_fields
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.pending import Waiter
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.feed.tally import Tally
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.outbox import Outbox
from klatsch.messaging.outcomes import name_in_use, refusal_of
from klatsch.records.decoding import BadRecord, decode, is_sound
from klatsch.records.header import DELETED, judged_body, judged_id, judged_target
from klatsch.records.judge import Verdict
from klatsch.records.kind import Judging, Kinds, RecordKind

_log = structlog.get_logger(__name__)
_REMEMBERED_UNDECODED: Final = frozenset({Judging.ONCE, Judging.MARKER})
_WHOLE: Final = frozenset({Judging.ONCE, Judging.IN_FORCE})
"""The judging of records that hold a whole message."""


class Telling:
    """Turns the records of one feed into frames."""

    def __init__(self, epoch: int, partitions: int, kinds: Kinds) -> None:
        self.kinds = kinds
        self._places = [f"{epoch}:{partition}:" for partition in range(partitions)]

    def place(self, record: Record, offset: int) -> str:
        """Returns the position of another record of the same partition."""
        return f"{self._places[record.partition]}{offset}"

    def frame(self, record: Record, kind: RecordKind) -> bytes:
        """Returns the frame of a record in force."""
        return protocol.wire(kind.frame(self.place(record, record.offset), record.value))

    def frames(self, records: Iterable[Record], is_deleted: Callable[[bytes], bool]) -> list[bytes]:
        """Returns a replay's frames for records in memory, without those that the persister refuses.

        Of a message that `is_deleted` since, only its place is told, and then its deletion.
        """
        told: list[bytes] = []
        for record in records:
            kind = self.kinds.find(record)
            if kind is None or (kind.judging in _REMEMBERED_UNDECODED and not is_sound(record, kind, self.kinds)):
                continue
            message_id = _message_of(record, kind)
            if not message_id or record.judge[0] == DELETED or not is_deleted(message_id):
                told.append(self.frame(record, kind))
            elif kind.judging is not Judging.CHANGE:
                place = self.place(record, record.offset)
                told.append(protocol.wire(kind.tombstone(place, self.kinds.decode(record.value))))
        return told

    def decode(self, record: Record, kind: RecordKind) -> Any:
        """Returns the record's value if the persister would accept a record of that kind; else None."""
        try:
            event = decode(record, self.kinds)
        except BadRecord:
            event = None
        if not isinstance(event, kind.struct):
            self.skip(record)
            return None
        return event

    def skip(self, record: Record) -> None:
        """Counts and logs a skipped record. The reason may quote the record, so only the dead letter holds it."""
        SKIPPED.inc()
        _log.warning("record_skipped", position=self.place(record, record.offset), **trace_fields(record.trace))


class Answering:
    """Answers the senders of records that were read back. `last_edit` finds the edit that another edit missed."""

    def __init__(self, telling: Telling, ring: Ring, tally: Tally, last_edit: Callable[[Record], int | None]) -> None:
        self._telling = telling
        self._ring = ring
        self._tally = tally
        self._last_edit = last_edit

    def answer(self, waiters: tuple[Waiter, ...], record: Record, first: int, *, duplicate: bool) -> None:
        """Answers `ok` with the position of the first record of that id, or `conflict` for another body.

        The answer says `duplicate` unless the first record is the waiter's own. Otherwise it is that of an earlier try,
        which another process may have appended while this one waited.
        """
        tally = self._tally
        body = b"" if duplicate else judged_body(record.judge)
        for waiter in waiters:
            tally.answered_since_s.append(waiter.since_s)
            if waiter.digest == body or self._ring.same_body(record, waiter.digest):
                is_own = not duplicate and waiter.value == record.value
                place = self._telling.place(record, first)
                told = waiter.told if is_own else b""  # of this append, which is then not the one that counts
                answer = protocol.ok_sent(waiter.re, waiter.id_text, place, duplicate=not is_own, told=told)
                tally.ok += is_own
                tally.duplicate += not is_own
                duplicate = duplicate or is_own  # further waiters have sent the same again
            else:
                tally.conflict += 1
                answer = protocol.err(waiter.re, name_in_use())
            waiter.outbox.push(protocol.wire(answer))

    def reject(self, waiters: tuple[Waiter, ...], void: Verdict, record: Record) -> None:
        """Answers the senders of a void record with its refusal."""
        if not waiters:
            return
        self._tally.rejected += len(waiters)
        edit = self._last_edit(record) if void is Verdict.CONFLICT else None
        error = refusal_of(void, changed=None if edit is None else self._telling.place(record, edit))
        for waiter in waiters:
            waiter.outbox.push(protocol.wire(protocol.err(waiter.re, error)))


def _message_of(record: Record, kind: RecordKind) -> bytes:
    """Returns the id of the message that a record is about; empty for other records."""
    if kind.judging is Judging.CHANGE:
        return judged_target(record.judge)
    return judged_id(record.judge) if kind.judging in _WHOLE else b""


def push_to(audience: Iterable[ConnectedPerson], frame: bytes, senders: Collection[Outbox] = ()) -> int:
    """Pushes to every connection of these people except `senders`; returns the number of pushes."""
    receivers = 0
    for person in audience:
        for outbox in person.outboxes:
            if outbox not in senders:
                outbox.push(frame)
                receivers += 1
    return receivers
