"""Reads the log for the sockets: judges each record in order, answers its sender and pushes it (D4, D9, D10).

It runs on the event loop, a batch at a time, without database access. It skips what the persister would refuse (D5).
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from klatsch.core.metrics import SKIPPED
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.changes import Changes, Settled
from klatsch.gateway.feed.marker_records import MarkerListener, MarkerRecords
from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.feed.people_records import MembersListener, PeopleRecords
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.feed.tally import Tally
from klatsch.gateway.feed.telling import Answering, Telling, push_to
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.records.decoding import is_sound
from klatsch.records.header import DELETED, judged_actor, judged_body, judged_id, judged_target
from klatsch.records.judge import Memberships, Verdict
from klatsch.records.kind import Judging, Kinds, RecordKind
from klatsch.records.kinds import KINDS
from klatsch.records.verdicts import STANDS


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
        self._telling = Telling(epoch, len(offsets), kinds)
        self._answering = Answering(self._telling, ring, self.tally, self._changes.last_edit)
        self._people = people = PeopleRecords(
            telling=self._telling, hub=hub, recent=self.recent, memberships=self.memberships, markers=markers
        )
        marker_records = MarkerRecords(
            epoch=epoch,
            telling=self._telling,
            hub=hub,
            recent=self.recent,
            memberships=self.memberships,
            tally=self.tally,
            markers=markers,
        )
        self._kinds = kinds
        self._judges = {
            Judging.ONCE: self._apply_once,
            Judging.CHANGE: self._apply_change,
            Judging.IN_FORCE: self._apply_in_force,
            Judging.MARKER: marker_records.apply,
            Judging.STANDINGS: people.apply_standings,
            Judging.CREDENTIALS: people.apply_credentials,
            Judging.PERSONAL: people.apply_personal,
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

    def tell_of_members(self, listener: MembersListener) -> None:
        """Tells `listener` of memberships from now on. Signals are made after the feed, by which they judge."""
        self._people.listener = listener

    def has_reached(self, offsets: Mapping[int, int]) -> bool:
        """Returns whether the feed has read everything before these offsets."""
        return all(self.offsets[partition] >= offset for partition, offset in offsets.items())

    def has_message(self, key: bytes, partition: int, message_id: bytes) -> bool:
        """Returns whether the memory has that message in the conversation of `key`, which is of that partition."""
        offset = self._ring.find_id(partition, message_id)
        record = None if offset is None else self.recent.find(key, partition, offset)
        kind = None if record is None else self._kinds.find(record)
        if record is None or kind is None or kind.judging is not Judging.ONCE:
            return False
        return is_sound(record, kind, self._kinds)

    def is_deleted(self, partition: int, message_id: bytes) -> bool:
        """Returns whether a deletion of that message is remembered."""
        return self._ring.is_deleted(partition, message_id)

    def _apply_once(self, record: Record, kind: RecordKind) -> None:
        judge, key = record.judge, record.key
        own_id = judged_id(judge)
        audience = self._hub.audiences.get(key)
        waiters = self._pending.find(own_id)
        # Decoding costs 3 µs. Records that this process appended itself are therefore only compared. Records with
        # neither an audience nor a waiting sender here are checked when a copy or a replay needs them.
        if waiters or audience is not None:
            if not _is_ours(record, waiters) and not is_sound(record, kind, self._kinds):
                self._telling.skip(record)
                return
            self._pending.take(own_id)
        first = self._find_original(record, own_id)
        if first is not None:
            self.tally.copies += 1
            self._answering.answer(waiters, record, first, duplicate=True)
        elif (void := self.memberships.find_void(key, judged_actor(judge))) is not None:
            self._reject(waiters, void, record)
        else:
            self._ring.remember(record)
            self.recent.add(key, record)
            if audience is not None:
                self._count_push(record, self._push(record, kind, audience, waiters))
            if waiters:
                self._answering.answer(waiters, record, record.offset, duplicate=False)

    def _apply_change(self, record: Record, kind: RecordKind) -> None:
        own_id = judged_id(record.judge)
        if not _is_ours(record, self._pending.find(own_id)) and not is_sound(record, kind, self._kinds):
            self._telling.skip(record)
            return
        waiters = self._pending.take(own_id)
        first = self._find_original(record, own_id)
        if first is not None:
            self.tally.copies += 1
            self._answering.answer(waiters, record, first, duplicate=True)
            return
        verdict = self._changes.judge(record)
        if verdict in STANDS:
            if verdict is Verdict.IN_FORCE:
                self.recent.add(record.key, record)
                if record.judge[0] == DELETED:
                    self.recent.note_deletion(judged_target(record.judge))
                audience = self._hub.audiences.get(record.key)
                if audience is not None:
                    self.tally.delivered += self._push(record, kind, audience, waiters)
            self._answering.answer(waiters, record, record.offset, duplicate=False)
        else:
            self._reject(waiters, verdict, record)

    def _reject(self, waiters: tuple[Waiter, ...], void: Verdict, record: Record) -> None:
        """Answers those who appended the void record. A retry waits on: its sender may be added before it comes."""
        self.tally.void += 1
        own = tuple(waiter for waiter in waiters if waiter.value == record.value)
        self._answering.reject(own, void, record)
        if len(own) < len(waiters):
            others = tuple(waiter for waiter in waiters if waiter.value != record.value)
            self._pending.put_back(judged_id(record.judge), others)

    def frames(self, records: Iterable[Record]) -> list[bytes]:
        """Returns a replay's frames for records in memory, as `Telling.frames`."""
        return self._telling.frames(records, self.recent.is_deleted)

    def _find_original(self, record: Record, own_id: bytes) -> int | None:
        """Returns the offset of the original of a copy, or None; a record that the persister refuses is no original."""
        first = self._ring.find_id(record.partition, own_id)
        if first is not None:
            original = self.recent.find(record.key, record.partition, first)
            kind = None if original is None else self._kinds.find(original)
            if original is not None and (kind is None or not is_sound(original, kind, self._kinds)):
                return None
        return first

    def _apply_in_force(self, record: Record, kind: RecordKind) -> None:
        if self._telling.decode(record, kind) is None:
            return
        if self.memberships.find_void(record.key, judged_actor(record.judge)) is not None:
            self.tally.void += 1
            return
        if self._ring.find_changed(record) is not None:
            return  # newer changes of the message would be undone by its older state
        self.recent.add(record.key, record)
        audience = self._hub.audiences.get(record.key)
        if audience is not None:
            push_to(audience, self._telling.frame(record, kind))

    def _push(
        self, record: Record, kind: RecordKind, audience: AbstractSet[ConnectedPerson], waiters: tuple[Waiter, ...]
    ) -> int:
        """Pushes a record in force, and returns the number of receivers."""
        frame = self._telling.frame(record, kind)
        if not waiters:
            return push_to(audience, frame)
        body = judged_body(record.judge)
        # The sender here gets an answer instead of a push, unless the record under that id has another body.
        return push_to(audience, frame, [waiter.outbox for waiter in waiters if waiter.digest == body])

    def _count_push(self, record: Record, receivers: int) -> None:
        if receivers:
            tally = self.tally
            tally.delivered += receivers
            tally.pushed += 1
            if tally.first_pushed is None:
                tally.first_pushed = record.value


def _is_ours(record: Record, waiters: tuple[Waiter, ...]) -> bool:
    """Returns whether this process appended the record as it is, and so made it soundly."""
    for waiter in waiters:  # noqa: SIM110 - any() costs three times as much for one waiter
        if waiter.value == record.value:
            return True
    return False
