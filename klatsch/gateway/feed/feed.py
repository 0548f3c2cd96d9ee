"""Reads the log for the sockets: judges each record in order, answers its sender and pushes it (D4, D9, D10).

It runs on the event loop, a batch at a time, without database access. It skips what the persister would refuse (D5).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol
from uuid import UUID

import structlog

from klatsch.conversations.access import Access
from klatsch.core.errors import Conflict
from klatsch.core.ids import uuid_text
from klatsch.core.metrics import SKIPPED
from klatsch.core.tracing import trace_fields
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.changes import Changes, Settled
from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.feed.tally import Tally
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.outbox import Outbox
from klatsch.messaging.outcomes import refusal_of
from klatsch.records.decoding import BadRecord, decode, is_sound
from klatsch.records.header import judged_actor, judged_digest, judged_id
from klatsch.records.judge import Memberships, Verdict
from klatsch.records.keys import PERSON
from klatsch.records.kinds import KINDS, Judging, Kinds, RecordKind
from klatsch.records.markers import Moved, is_own_only, is_possible, moves
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.verdicts import STANDS

_log = structlog.get_logger(__name__)
_REMEMBERED_UNDECODED = frozenset({Judging.ONCE, Judging.MARKER})


class MarkerListener(Protocol):
    """Learns of markers, and of people's choice whether others see theirs."""

    def learn(self, record: Record) -> None: ...

    def learn_receipts(self, user_id: str, *, is_shown: bool) -> None: ...


class Feed:
    """A gateway's view of the log: everything before `offsets`, judged like every other gateway does.

    Before `recent_from` it cannot know every copy yet, so that nothing from there is replayed. `markers` is told
    of each marker that is not ignored.
    """

    def __init__(
        self,
        *,
        epoch: int,
        offsets: Mapping[int, int],
        hub: Hub,
        pending: Pending,
        ring: Ring,
        recent_bytes: int,
        recent_from: Mapping[int, int] | None = None,
        settled: Settled | None = None,
        kinds: Kinds = KINDS,
        markers: MarkerListener | None = None,
    ) -> None:
        self.epoch = epoch
        self.offsets = [offsets[partition] for partition in range(len(offsets))]
        self.memberships = Memberships()
        begins = recent_from or offsets
        self.recent = Recent([begins[partition] for partition in range(len(offsets))], recent_bytes)
        self._hub = hub
        self._pending = pending
        self._ring = ring
        self._changes = Changes(ring, self.memberships, settled or Settled())
        self.tally = Tally()
        self._places = [f"{epoch}:{partition}:" for partition in range(len(offsets))]
        self._markers = markers
        self._kinds = kinds
        self._judges = {
            Judging.ONCE: self._apply_once,
            Judging.CHANGE: self._apply_change,
            Judging.IN_FORCE: self._apply_in_force,
            Judging.MARKER: self._apply_marker,
            Judging.STANDINGS: self._apply_standings,
            Judging.CREDENTIALS: self._apply_credentials,
            Judging.PERSONAL: self._apply_personal,
        }

    def apply(self, records: Sequence[Record]) -> None:
        """Takes the next batch, in the order of each partition; raises RingFull."""
        self._ring.check()
        offsets = self.offsets
        self.recent.turn(offsets)
        find, judges = self._kinds.find, self._judges
        for record in records:
            kind = find(record)
            if kind is None:
                SKIPPED.inc()
            else:
                judges[kind.judging](record, kind)
            offsets[record.partition] = record.offset + 1
        self._hub.flush()
        self.tally.fold()

    def has_reached(self, offsets: Mapping[int, int]) -> bool:
        return all(self.offsets[partition] >= offset for partition, offset in offsets.items())

    def _apply_once(self, record: Record, kind: RecordKind) -> None:
        judge = record.judge
        audience = self._hub.audiences.get(record.key)
        if self._is_refused(record, kind, audience):
            self._skip(record)
            return
        waiters = self._pending.take(judged_id(judge))
        first = self._find_original(record)
        if first is not None:
            self.tally.copies += 1
            self._answer(waiters, record, first, duplicate=True)
        elif (void := self.memberships.find_void(record.key, judged_actor(judge))) is not None:
            self.tally.void += 1
            self._reject(waiters, void, record)
        else:
            self._ring.remember(record)
            self.recent.add(record.key, record)
            if audience is not None:
                self._push(record, kind, audience, waiters)
            self._answer(waiters, record, record.offset, duplicate=False)

    def _apply_change(self, record: Record, kind: RecordKind) -> None:
        if not self._is_ours(record) and not is_sound(record, kind, self._kinds):
            self._skip(record)
            return
        waiters = self._pending.take(judged_id(record.judge))
        first = self._find_original(record)
        if first is not None:
            self.tally.copies += 1
            self._answer(waiters, record, first, duplicate=True)
            return
        verdict = self._changes.judge(record)
        if verdict in STANDS:
            if verdict is Verdict.IN_FORCE:
                self.recent.add(record.key, record)
                self._push_change(record, kind, waiters)
            self._answer(waiters, record, record.offset, duplicate=False)
        else:
            self.tally.void += 1
            self._reject(waiters, verdict, record)

    def _push_change(self, record: Record, kind: RecordKind, waiters: tuple[Waiter, ...]) -> None:
        audience = self._hub.audiences.get(record.key)
        if audience is not None:
            body = judged_digest(record.judge)
            senders = {waiter.outbox for waiter in waiters if waiter.digest == body}
            self.tally.delivered += _push_to(audience, self._frame(record, kind), senders)

    def _is_ours(self, record: Record) -> bool:
        """Returns whether this process appended the record as it is: it made it soundly."""
        return any(waiter.value == record.value for waiter in self._pending.find(judged_id(record.judge)))

    def _is_refused(self, record: Record, kind: RecordKind, audience: AbstractSet[ConnectedPerson] | None) -> bool:
        """Returns whether the persister refuses a record with an audience or a waiting sender here.

        Decoding costs 3 µs. Records that this process appended itself are therefore only compared, and records without
        an audience are not checked until a copy or a replay needs them.
        """
        waiters = self._pending.find(judged_id(record.judge))
        if audience is None and not waiters:
            return False
        for waiter in waiters:
            if waiter.value == record.value:
                return False
        return not is_sound(record, kind, self._kinds)

    def _find_original(self, record: Record) -> int | None:
        """Returns the offset of the original of a copy, or None; a record that the persister refuses is no original."""
        first = self._ring.find(record)
        if first is not None:
            original = self.recent.find(record.key, record.partition, first)
            kind = None if original is None else self._kinds.find(original)
            if original is not None and (kind is None or not is_sound(original, kind, self._kinds)):
                return None
        return first

    def _apply_in_force(self, record: Record, kind: RecordKind) -> None:
        if self._decode(record, kind) is None:
            return
        if self.memberships.find_void(record.key, judged_actor(record.judge)) is not None:
            self.tally.void += 1
            return
        if self._ring.find_changed(record) is not None:
            return  # newer changes of the message would be undone by its older state
        self.recent.add(record.key, record)
        audience = self._hub.audiences.get(record.key)
        if audience is not None:
            _push_to(audience, self._frame(record, kind))

    def _apply_marker(self, record: Record, kind: RecordKind) -> None:
        """Pushes a marker unless it is lower than a known one. A blocked person's goes to their own connections only.

        It is remembered undecoded where nobody listens: a replay checks it.
        """
        why = self.memberships.find_void(record.key, judged_actor(record.judge))
        if why is Verdict.REMOVED or not is_possible(record, self.epoch):
            self.tally.void += 1
            return
        audience: Collection[ConnectedPerson] = self._hub.audiences.get(record.key, ())
        key = record.key
        if why is not None or is_own_only(record.judge):
            user_id = uuid_text(judged_actor(record.judge))
            person = self._hub.people.get(user_id)
            key, audience = PERSON.of(user_id), () if person is None else (person,)
        if audience and not is_sound(record, kind, self._kinds):
            self._skip(record)
            return
        if not moves(Moved.of(record.judge)):
            self.recent.add(key, record)
        elif not self.recent.add_marker(key, record):
            return
        if self._markers is not None:
            self._markers.learn(record)
        if audience:
            _push_to(audience, self._frame(record, kind))

    def _push(
        self, record: Record, kind: RecordKind, audience: AbstractSet[ConnectedPerson], waiters: tuple[Waiter, ...]
    ) -> None:
        body = judged_digest(record.judge)
        # The sender here gets an answer instead of a push, unless the record under that id has another body.
        senders = {waiter.outbox for waiter in waiters if waiter.digest == body}
        self._count_push(record, _push_to(audience, self._frame(record, kind), senders))

    def _count_push(self, record: Record, receivers: int) -> None:
        if receivers:
            tally = self.tally
            tally.delivered += receivers
            tally.pushed += 1
            if tally.first_pushed is None:
                tally.first_pushed = record.value

    def _answer(self, waiters: tuple[Waiter, ...], record: Record, first: int, *, duplicate: bool) -> None:
        tally = self.tally
        for waiter in waiters:
            message_id = judged_id(record.judge)
            tally.answered_since_s.append(waiter.since_s)
            if self._ring.same_body(record, waiter.digest):
                place = self._place(record, first)
                answer = protocol.ok_sent(waiter.re, uuid_text(message_id), place, duplicate=duplicate)
                tally.ok += not duplicate
                tally.duplicate += duplicate
            else:
                tally.conflict += 1
                answer = protocol.err(waiter.re, Conflict("This client_id has been used for something else."))
            waiter.outbox.push(protocol.wire(answer))
            duplicate = True  # further waiters have sent the same message again

    def _reject(self, waiters: tuple[Waiter, ...], void: Verdict, record: Record) -> None:
        if not waiters:
            return
        self.tally.rejected += len(waiters)
        edit = self._changes.last_edit(record) if void is Verdict.CONFLICT else None
        error = refusal_of(void, changed=None if edit is None else self._place(record, edit))
        for waiter in waiters:
            waiter.outbox.push(protocol.wire(protocol.err(waiter.re, error)))

    def _place(self, record: Record, offset: int) -> str:
        return f"{self._places[record.partition]}{offset}"

    def _apply_standings(self, record: Record, kind: RecordKind) -> None:
        event = self._decode(record, kind)
        if event is None:
            return
        changes = self.memberships.apply(record, event)
        for change in changes:
            if change.active:
                self._admit(event, change)
        key = event.conversation.encode("ascii")
        self.recent.add(key, record)
        audience = self._hub.audiences.get(key, ())
        if audience:
            _push_to(audience, self._frame(record, kind))
        if event.member_count is not None:
            self._hub.resize(key, event.member_count)
        for change in changes:
            if not change.active:
                self._expel(record, key, change)

    def _apply_credentials(self, record: Record, kind: RecordKind) -> None:
        event = self._decode(record, kind)
        if event is None:
            return
        if event.what == "deactivated":
            self._hub.part(event.user)
        if event.read_receipts is not None and self._markers is not None:
            self._markers.learn_receipts(event.user_id, is_shown=event.read_receipts)
        self._hub.end(event.user_id, event.credentials, "this credential has ended")

    def _apply_personal(self, record: Record, kind: RecordKind) -> None:
        event = self._decode(record, kind)
        if event is None:
            return
        self.recent.add(PERSON.of(event.user_id), record)
        person = self._hub.people.get(event.user_id)
        if person is not None:
            _push_to((person,), self._frame(record, kind))

    def _decode(self, record: Record, kind: RecordKind) -> Any:
        """Returns the record's value if the persister would accept a record of that kind; else None."""
        try:
            event = decode(record, self._kinds)
        except BadRecord:
            event = None
        if not isinstance(event, kind.struct):
            self._skip(record)
            return None
        return event

    def _skip(self, record: Record) -> None:
        """Counts and logs a skipped record. The reason may quote the record, so only the dead letter holds it."""
        SKIPPED.inc()
        place = self._place(record, record.offset)
        _log.warning("record_skipped", position=place, **trace_fields(record.trace))

    def _admit(self, event: MembersChanged, change: Membership) -> None:
        person = self._hub.people.get(change.user_id)
        if person is None:
            return
        access = access_from_record(person, event)
        self._hub.admit(person, access, change.version)
        if any(member.blocked for member in event.members):  # neither writes to the other: PostgreSQL knows who may not
            self._hub.ask_again(person, access)

    def _expel(self, record: Record, key: bytes, change: Membership) -> None:
        # An absent client learns of the removal from this record, the last of the conversation that they may get.
        self.recent.add(PERSON.of(change.user_id), record)
        person = self._hub.people.get(change.user_id)
        if person is not None:
            self._hub.expel(person, key, change.version)

    def frames(self, records: Iterable[Record]) -> list[bytes]:
        """Returns a replay's frames for records in memory, without those that the persister refuses."""
        told: list[bytes] = []
        for record in records:
            kind = self._kinds.find(record)
            if kind is not None and (kind.judging not in _REMEMBERED_UNDECODED or is_sound(record, kind, self._kinds)):
                told.append(self._frame(record, kind))
        return told

    def _frame(self, record: Record, kind: RecordKind) -> bytes:
        """Returns the frame of a record in force."""
        return protocol.wire(kind.frame(self._place(record, record.offset), record.value))


def _push_to(audience: Iterable[ConnectedPerson], frame: bytes, senders: Collection[Outbox] = ()) -> int:
    """Pushes to every connection of these people except `senders`; returns the number of pushes."""
    receivers = 0
    for person in audience:
        for outbox in person.outboxes:
            if outbox not in senders:
                outbox.push(frame)
                receivers += 1
    return receivers


def access_from_record(person: ConnectedPerson, event: MembersChanged) -> Access:
    """Returns the right to write that a membership record gives. It names the peer of a direct conversation."""
    other = next((m for m in event.members if m.user_id != person.user_id), None) if event.kind == "direct" else None
    return Access.of(
        conversation=UUID(event.conversation),
        kind=event.kind,
        sender=(UUID(person.user_id), person.username),
        receiver=(UUID(other.user_id), other.user) if other else None,
        member_count=event.member_count or 2,
    )
