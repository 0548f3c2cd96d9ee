"""The feed: answers senders and pushes to everybody else, as every other gateway that reads the same log (D4, D9)."""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.metrics import DELIVERED, SKIPPED
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.feed.people_records import access_from_record
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language.protocol import unwire
from klatsch.gateway.outbox import Outbox
from klatsch.records.header import judged_body, judged_id
from klatsch.records.judge import StandingAt
from klatsch.records.keys import MEMBERS
from klatsch.records.kind import Kinds
from klatsch.records.kinds import KINDS, MESSAGE
from klatsch.records.members import MembersChanged
from klatsch.records.messages import MessagePosted, digest
from tests.support.peer import Peer
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    TEA,
    Somebody,
    added,
    change_of,
    direct,
    entry_of,
    in_group,
    members,
    message,
    posted,
    records_of,
    removed,
    standing,
)

Frames = list[dict[str, Any]]


@dataclass
class Connection:
    """A person's connection and what its peer takes."""

    person: ConnectedPerson
    outbox: Outbox
    peer: Peer

    def read(self) -> Frames:
        return self.peer.read()


class Gateway:
    """A feed with its hub, its waiters and its ring."""

    def __init__(
        self,
        offsets: dict[int, int] | None = None,
        span_s: float = 150,
        kinds: Kinds = KINDS,
        settled: Settled | None = None,
    ) -> None:
        self.kinds = kinds
        self.hub, self.pending = Hub(), Pending()
        self.feed = Feed(
            epoch=1,
            offsets=offsets or {0: 0},
            hub=self.hub,
            pending=self.pending,
            ring=Ring(len(offsets or {0: 0}), span_s),
            recent_bytes=2**20,
            kinds=kinds,
            settled=settled,
        )

    def connect(self, somebody: Somebody, *, member: bool = True) -> Connection:
        peer = Peer(kinds=self.kinds)
        outbox = Outbox(peer, self.hub.dirty, 2**20)
        person = self.hub.join(somebody.user_id, somebody.name, outbox)
        if member:
            self.hub.admit(person, in_group(somebody), 1)
        return Connection(person, outbox, peer)

    def await_answer(self, connection: Connection, entry: Entry, re: int = 1, body: bytes | None = None) -> None:
        """As if `connection` had sent that entry, or another body under the same id."""
        mine = judged_body(entry.judge) if body is None else body
        self.pending.add(judged_id(entry.judge), Waiter(connection.outbox, re, mine, 0.0, entry.value))

    def read(self, records: Iterable[Record]) -> None:
        self.feed.apply(list(records))


def message_id(entry: Entry) -> str:
    event = KINDS.decode(entry.value)
    assert isinstance(event, MessagePosted)
    return event.id


def codes(frames: Frames) -> list[str]:
    return [frame["err"]["code"] for frame in frames]


def test_the_sender_gets_ok_and_no_push_and_another_connection_gets_the_push() -> None:
    gateway = Gateway()
    ana, also_ana, bob = (gateway.connect(p) for p in (ANA, ANA, BOB))
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said, re=7)
    gateway.read(records_of(said))

    assert ana.read() == [{"re": 7, "ok": {"id": message_id(said), "position": "1:0:0", "duplicate": False}}]
    for other in (also_ana, bob):
        [push] = other.read()
        assert (push["t"], push["pos"], push["d"]["content"]) == ("message", "1:0:0", "hi")


def test_a_copy_is_answered_with_the_originals_position_and_pushed_to_nobody() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    original, other, copy = records_of(said, message(in_group(BOB), "ho"), said)
    gateway.read([original, other])
    ana.read()
    bob.read()
    gateway.await_answer(ana, said, re=8)
    gateway.read([copy])

    assert ana.read() == [{"re": 8, "ok": {"id": message_id(said), "position": "1:0:0", "duplicate": True}}]
    assert bob.read() == []


def test_another_body_under_the_same_id_is_a_conflict_for_everybody_alike() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    first = message(in_group(ANA), "stands", client_id="one")
    second = message(in_group(ANA), "falls", client_id="one")
    gateway.await_answer(ana, second, re=9)
    records = records_of(first, second)
    gateway.read(records[:1])

    push, answer = ana.read()  # whose body fell is shown the one that stands
    assert (push["t"], push["d"]["content"]) == ("message", "stands")
    assert (answer["re"], codes([answer])) == (9, ["conflict"])
    gateway.read(records[1:])
    assert ana.read() == []
    assert [push["d"]["content"] for push in bob.read()] == ["stands"]


def test_another_body_that_comes_after_the_original_is_a_conflict_too() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    first, second = (message(in_group(ANA), body, client_id="one") for body in ("stands", "falls"))
    original, copy = records_of(first, second)
    gateway.read([original])
    ana.read()
    gateway.await_answer(ana, second)
    gateway.read([copy])

    assert codes(ana.read()) == ["conflict"]


def test_a_removed_sender_is_rejected_and_nobody_sees_it() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    late = message(in_group(ANA), "late")
    records = records_of(removed(ANA), late)
    gateway.read(records[:1])
    ana.read()
    bob.read()
    gateway.await_answer(ana, late)
    gateway.read(records[1:])

    assert codes(ana.read()) == ["not_a_member"]
    assert bob.read() == []


def test_a_void_message_that_is_sent_again_by_a_member_is_no_copy() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.read(records_of(removed(ANA), said, added(ANA, 3), said))

    assert [frame["pos"] for frame in bob.read() if frame["t"] == "message"] == ["1:0:3"]


def test_from_the_record_of_a_removal_on_that_person_is_shown_nothing() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    gateway.read(records_of(removed(BOB), message(in_group(ANA), "without bob")))

    assert [frame["t"] for frame in bob.read()] == ["members"]  # that they are out is the last that they see
    assert [frame["t"] for frame in ana.read()] == ["members", "message"]
    assert bob.person.access == {}


def test_from_the_record_of_an_addition_on_that_person_is_shown_everything() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB, member=False)
    gateway.read(records_of(message(in_group(ANA), "before"), added(BOB), message(in_group(ANA), "after")))

    frames = bob.read()
    assert [frame["t"] for frame in frames] == ["members", "message"]
    assert frames[1]["d"]["content"] == "after"
    assert bob.person.access[str(TEA).encode()] == in_group(BOB)


def test_a_lower_version_neither_subscribes_nor_unsubscribes() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    gateway.read(records_of(removed(BOB, 4), added(BOB, 3), message(in_group(ANA), "without bob")))
    assert [frame["t"] for frame in bob.read()] == ["members"]

    gateway.read(records_of(added(BOB, 5), removed(BOB, 4), message(in_group(ANA), "with bob")))
    assert [frame["t"] for frame in bob.read()] == ["members", "members", "message"]


def test_a_membership_record_of_a_direct_conversation_says_whom_one_writes_to() -> None:
    gateway = Gateway()
    ana, bob = (gateway.connect(p, member=False) for p in (ANA, BOB))
    both = members(
        *(standing(p, 1, active=True) for p in (ANA, BOB)),
        conversation=UUID(bytes=direct(ANA, BOB).conversation_bytes),
        kind="direct",
    )
    gateway.read(records_of(both))

    assert ana.person.direct == {"bob": direct(ANA, BOB)}
    assert bob.person.direct == {"ana": direct(BOB, ANA)}


def test_access_from_a_group_has_no_receiver() -> None:
    event = KINDS.decode(added(ANA).value)
    assert isinstance(event, MembersChanged)
    assert access_from_record(ConnectedPerson(ANA.user_id, ANA.name), event) == in_group(ANA)


def test_a_change_is_pushed_to_everybody_who_sees_the_conversation() -> None:
    gateway = Gateway()
    ana, cleo = gateway.connect(ANA), gateway.connect(CLEO, member=False)
    original = posted(in_group(ANA), "hi", client_id="one")
    gateway.read(records_of(entry_of(original), change_of(original, "ho", position="1:0:0")))

    _, push = ana.read()
    assert (push["t"], push["pos"], push["d"]["content"]) == ("message_changed", "1:0:1", "ho")
    assert cleo.read() == []


def test_a_change_by_somebody_who_was_removed_is_void() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    original = posted(in_group(ANA), "hi", client_id="one")
    gateway.read(records_of(removed(ANA), change_of(original, "ho", position="1:0:0")))

    assert [frame["t"] for frame in bob.read()] == ["members"]


POISON = [
    Entry(b"", b"{}"),
    Entry(b"somewhere", b"{}", message(in_group(ANA)).judge),
    Entry(b"user:" + ANA.user_id.encode(), b"{}"),
    Entry(str(TEA).encode(), b"{}"),
    Entry(str(TEA).encode(), b"{}", b"\x01"),
    Entry(str(TEA).encode(), b"{}", b"\x07" + bytes(48)),
    Entry(b"members:" + str(TEA).encode(), b"\xff"),
    Entry(b"members:" + str(TEA).encode(), b""),
    Entry(b"members:elsewhere", added(ANA).value),
]


@pytest.mark.parametrize("poison", POISON)
def test_poison_between_good_records_is_skipped(poison: Entry) -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    before, after = message(in_group(ANA), "before"), message(in_group(ANA), "after")
    bad = Record(0, 1, poison.key, poison.value, poison.judge)
    first, _, last = records_of(before, before, after)
    gateway.read([first, bad, last])

    assert [frame["d"]["content"] for frame in bob.read()] == ["before", "after"]
    assert gateway.feed.offsets == [3]


def test_the_same_send_twice_in_a_row_is_answered_twice_and_counted_never_below_nothing() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    for re in (1, 2):
        gateway.await_answer(ana, said, re=re)
    delivered = DELIVERED._value.get()
    gateway.read(records_of(said, said))

    assert [(frame["re"], frame["ok"]["duplicate"]) for frame in ana.read()] == [(1, False), (2, True)]
    assert DELIVERED._value.get() == delivered


def test_a_sender_who_has_left_is_no_reason_to_count_less() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    gateway.hub.leave(ana.person, ana.outbox)
    delivered = DELIVERED._value.get()
    gateway.read(records_of(said))

    assert len(bob.read()) == 1
    assert DELIVERED._value.get() == delivered + 1


def test_after_unknown_the_message_is_a_push_like_any_other() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    gateway.pending.take(judged_id(said.judge))  # as Sending.give_up does
    gateway.read(records_of(said))

    assert [frame["t"] for frame in ana.read()] == ["message"]


def test_offsets_are_the_next_ones_to_read_in_every_partition() -> None:
    gateway = Gateway({0: 5, 1: 0, 2: 7})
    said = message(in_group(ANA))
    gateway.read(
        [Record(0, 5, said.key, said.value, said.judge), Record(2, 9, b"", b"", b"")]
    )  # 7 and 8 are no records

    assert gateway.feed.offsets == [6, 0, 10]
    assert gateway.feed.has_reached({0: 6, 1: 0})
    assert not gateway.feed.has_reached({1: 1})


def test_a_batch_is_written_to_each_socket_once() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    gateway.read(records_of(*(message(in_group(ANA), str(n)) for n in range(20))))

    assert bob.peer.writes == 1
    assert [frame["d"]["content"] for frame in bob.read()] == [str(n) for n in range(20)]


def test_a_record_is_forwarded_verbatim() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    said = message(in_group(ANA), 'quote " backslash \\ tea 🫖\nnew line')
    gateway.read(records_of(said))

    shown = bob.read()[0]["d"]
    for name, value in json.loads(said.value).items():
        assert shown[name] == value


# A history: what people say (three client_ids each, so that many are copies, some with another body) while they are
# removed and added. Names change every `ERA` steps, as a client_id that is older than the window is looked up instead.
ERA = 12
SPEAKERS = (ANA, BOB)


@dataclass(frozen=True)
class Said:
    speaker: Somebody
    name: int
    body: str


@dataclass(frozen=True)
class Moved:
    """Somebody's standing changes; a `repeat` tells again of the present one."""

    somebody: Somebody
    repeat: bool


says = st.builds(Said, st.sampled_from(SPEAKERS), st.integers(0, 2), st.sampled_from(["a", "b"]))
moves = st.builds(Moved, st.sampled_from(SPEAKERS), st.booleans())
histories = st.lists(st.one_of(says, says, says, moves, st.sampled_from(POISON)), max_size=4 * ERA)


def play(history: Sequence[Said | Moved | Entry]) -> list[Record]:
    versions = dict.fromkeys(SPEAKERS, 1)
    entries: list[Entry] = []
    for number, step in enumerate(history):
        if isinstance(step, Said):
            name = f"{number // ERA}-{step.name}"
            entries.append(message(in_group(step.speaker), step.body, client_id=name))
        elif isinstance(step, Moved):
            versions[step.somebody] += not step.repeat
            version = versions[step.somebody]
            entries.append(members(standing(step.somebody, version, active=version % 2 == 1)))
        else:
            entries.append(step)
    return records_of(*entries)


def verdicts(records: Sequence[Record]) -> list[str]:
    """What each message is by the rules alone, in plain Python: the truth that every feed must tell."""
    out: dict[str, int] = {}
    stands: dict[str, tuple[int, str]] = {}
    told: list[str] = []
    for record in records:
        try:
            event = KINDS.decode(record.value)
        except ValueError:
            continue
        if isinstance(event, MembersChanged) and record.key == MEMBERS.of(event.conversation):
            for member in event.members:
                out[member.user_id] = max(out.get(member.user_id, 1), member.version)
        elif isinstance(event, MessagePosted):
            if event.id in stands:
                first, body = stands[event.id]
                told.append(f"ok 1:0:{first} True" if body == event.content else "conflict")
            elif out.get(event.sender_id, 1) % 2 == 0:
                told.append("not_a_member")
            else:
                stands[event.id] = (record.offset, event.content)
                told.append(f"ok 1:0:{record.offset} False")
    return told


def answers(gateway: Gateway, records: Sequence[Record]) -> list[str]:
    """What senders are told who wait for each of these records."""
    asker = gateway.connect(CLEO, member=False)
    told: list[str] = []
    for record in records:
        if (KINDS.find(record) is MESSAGE) and decode_or_none(record) is not None:
            waiting = Waiter(asker.outbox, 1, judged_body(record.judge), 0.0, record.value)
            gateway.pending.add(judged_id(record.judge), waiting)
        gateway.read([record])
        for frame in asker.read():
            if "re" in frame:
                found = frame.get("ok")
                told.append(f"ok {found['position']} {found['duplicate']}" if found else frame["err"]["code"])
    return told


def decode_or_none(record: Record) -> Any:
    try:
        return KINDS.decode(record.value)
    except ValueError:
        return None


def archive_before(records: Sequence[Record]) -> list[StandingAt]:
    """Who is out as the archive knows it there: nothing of what comes later."""
    return [
        StandingAt(event.conversation, m.user_id, m.version, m.active, record.partition, record.offset)
        for record in records
        if isinstance(event := decode_or_none(record), MembersChanged) and record.key == MEMBERS.of(event.conversation)
        for m in event.members
    ]


@given(histories)
def test_every_answer_is_what_the_rules_say(history: list[Said | Moved | Entry]) -> None:
    records = play(history)
    assert answers(Gateway(), records) == verdicts(records)


@given(histories, st.integers(0, 3))
def test_two_feeds_that_start_at_different_points_agree(history: list[Said | Moved | Entry], era: int) -> None:
    records = play(history)
    start = min(era * ERA, len(records))
    early, late = Gateway(), Gateway({0: start})
    for standing_before in archive_before(records[:start]):
        late.feed.memberships.load(standing_before)
    early.read(records[:start])
    watchers = early.connect(CLEO), late.connect(CLEO)

    assert answers(early, records[start:]) == answers(late, records[start:])
    seen = [watcher.read() for watcher in watchers]
    assert seen[0] == seen[1]


@given(histories, st.lists(st.integers(0, 4 * ERA), max_size=4))
def test_where_the_log_is_cut_into_batches_makes_no_difference(
    history: list[Said | Moved | Entry], cuts: list[int]
) -> None:
    records = play(history)
    whole, parts = Gateway(), Gateway()
    watchers = whole.connect(CLEO), parts.connect(CLEO)
    whole.read(records)
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for begin, end in itertools.pairwise(edges):
        parts.read(records[begin:end])

    seen = [watcher.read() for watcher in watchers]
    assert seen[0] == seen[1]
    assert whole.feed.offsets == parts.feed.offsets


@pytest.mark.parametrize("value", [b"", b"no JSON", b"{}", b'{"t":"message","v":1}'])
def test_what_the_persister_would_refuse_is_shown_to_nobody_and_takes_nobodys_place(value: bytes) -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    before = SKIPPED._value.get()
    gateway.read(records_of(Entry(said.key, value, said.judge), said))

    assert ana.read() == [{"re": 1, "ok": {"id": message_id(said), "position": "1:0:1", "duplicate": False}}]
    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]
    assert [r.offset for _, found in gateway.feed.recent.since({said.key}, [0]) for r in found] == [1]
    assert SKIPPED._value.get() == before + 1


@pytest.mark.parametrize("value", [b"", b"no JSON", b"{}", b'{"t":"message","v":1}'])
def test_a_refused_record_that_nobody_heard_takes_nobodys_place_and_is_not_replayed(value: bytes) -> None:
    gateway = Gateway()
    said = message(in_group(ANA), "hi")
    bad, good = records_of(Entry(said.key, value, said.judge), said)
    gateway.read([bad])
    found = [record for _, records in gateway.feed.recent.since({said.key}, [0]) for record in records]
    assert gateway.feed.frames(found) == []

    bob = gateway.connect(BOB)
    gateway.read([good])
    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]
    found = [record for _, records in gateway.feed.recent.since({said.key}, [0]) for record in records]
    told = b"".join(gateway.feed.frames(found))
    assert [json.loads(payload)["pos"] for payload in unwire(told)] == ["1:0:1"]


@pytest.mark.parametrize("fields", [{"content": "before\0after"}, {"sent_at": "2026-13-45T00:00:00.000Z"}])
def test_a_text_or_a_time_that_the_archive_cannot_hold_is_shown_to_nobody(fields: dict[str, str]) -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    written = posted(in_group(ANA), fields.get("content", "hi"), client_id="foreign")
    gateway.read(records_of(entry_of(msgspec.structs.replace(written, **fields)), message(in_group(ANA), "hi")))

    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]


def test_what_this_process_appended_is_not_decoded_again() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    odd = Entry(message(in_group(ANA), "hi").key, b"as it was appended", message(in_group(ANA), "hi").judge)
    gateway.await_answer(ana, odd)
    gateway.read(records_of(odd))

    assert [frame["ok"]["duplicate"] for frame in ana.read()] == [False]


def test_a_change_that_the_persister_would_refuse_is_shown_to_nobody() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    edit = change_of(posted(in_group(ANA), "hi", client_id="one"), "ho", position="1:0:0")
    gateway.read(records_of(Entry(edit.key, b"no JSON", edit.judge), edit))

    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]


def test_a_digest_of_another_reply_is_another_body() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said, body=digest("hi", str(TEA)))
    gateway.read(records_of(said))

    assert [frame.get("t") or frame["err"]["code"] for frame in ana.read()] == ["message", "conflict"]
