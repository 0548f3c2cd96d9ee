"""Changes of messages at a feed: answered, pushed and judged as the persister judges them (D18)."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import Hub
from klatsch.persister.batch import Batch, sort_records
from klatsch.persister.past import Past, changes_in
from klatsch.records.header import MARKER, judged_target
from klatsch.records.judge import Memberships
from klatsch.records.members import Membership
from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    NOW_MS,
    added,
    entry_of,
    fresh_client_id,
    in_group,
    marked,
    members,
    posted,
    records_of,
    removed,
    standing,
)
from tests.unit.feed_parts import Gateway, codes

SAID = posted(in_group(ANA), "hi", client_id=fresh_client_id())
BEFORE = posted(in_group(ANA), "before", client_id=fresh_client_id())
OTHER = posted(in_group(BOB), "yes", client_id=fresh_client_id())


def timed(records: Sequence[Record], at_ms: int = NOW_MS) -> list[Record]:
    return [msgspec.structs.replace(record, time_ms=at_ms) for record in records]


def role(version: int, name: Any) -> Membership:
    return msgspec.structs.replace(standing(BOB, version, active=True), role=name)


def test_the_author_gets_ok_and_everybody_else_the_change() -> None:
    gateway = Gateway()
    ana, also_ana, bob = (gateway.connect(person) for person in (ANA, ANA, BOB))
    change = edited(SAID, "hi!")
    gateway.await_answer(ana, change, re=7)
    gateway.read(timed(records_of(entry_of(SAID), change)))

    [_, answer] = ana.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"]) == ("1:0:1", False)
    for other in (also_ana, bob):
        [_, push] = other.read()
        assert (push["t"], push["pos"], push["d"]["content"]) == ("message_edited", "1:0:1", "hi!")


def test_a_change_of_a_deleted_message_is_gone_and_deleted_is_final() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    late = edited(SAID, "back again")
    gateway.await_answer(ana, late)
    gateway.read(timed(records_of(entry_of(SAID), deleted(SAID), late)))
    assert codes(ana.read()[2:]) == ["gone"]
    assert [push["t"] for push in bob.read()] == ["message", "message_deleted"]


def test_an_edit_that_had_not_seen_another_is_told_which() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    second = edited(SAID, "two", base="1:0:0")
    gateway.await_answer(ana, second)
    gateway.read(timed(records_of(entry_of(SAID), edited(SAID, "one", base="1:0:0"), second)))
    [refusal] = [frame["err"] for frame in ana.read() if "err" in frame]
    assert (refusal["code"], refusal["changed"]) == ("conflict", "1:0:1")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda: deleted(SAID, client_id="one"), lambda: deleted(BEFORE, client_id="one")),
        (lambda: edited(SAID, "hi!", client_id="one"), lambda: edited(BEFORE, "hi!", client_id="one")),
        (lambda: pinned(SAID, ANA, client_id="one"), lambda: pinned(SAID, ANA, on=False, client_id="one")),
        (
            lambda: reacted(SAID, "👍", ANA, client_id="one"),
            lambda: reacted(SAID, "👍", ANA, on=False, client_id="one"),
        ),
    ],
)
def test_one_client_id_for_two_changes_is_a_conflict_however_alike_they_are(
    first: Callable[[], Entry], second: Callable[[], Entry]
) -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    gateway.read(timed(records_of(entry_of(SAID), entry_of(BEFORE), first())))
    ana.read()
    gateway.await_answer(ana, second())
    gateway.read(timed([msgspec.structs.replace(records_of(second())[0], offset=3)]))
    assert codes(ana.read()) == ["conflict"]


def test_a_demoted_admin_is_refused_and_a_removed_member_too() -> None:
    gateway = Gateway()
    bob, cleo = gateway.connect(BOB), gateway.connect(CLEO)
    deletion, reaction = deleted(SAID, BOB), reacted(SAID, "👍", CLEO)
    gateway.await_answer(bob, deletion)
    gateway.await_answer(cleo, reaction)
    gateway.read(timed(records_of(entry_of(SAID), members(role(2, "member")), removed(CLEO), deletion, reaction)))
    assert codes([frame for frame in bob.read() if "err" in frame]) == ["forbidden"]
    assert codes([frame for frame in cleo.read() if "err" in frame]) == ["not_a_member"]


def test_what_changes_nothing_is_answered_but_not_pushed() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    again = reacted(SAID, "👍", BOB, was_on=False)
    gateway.await_answer(bob, again, re=2)
    gateway.read(timed(records_of(entry_of(SAID), reacted(SAID, "👍", BOB), again)))
    assert [push["t"] for push in ana.read()] == ["message", "reaction"]
    assert [frame["re"] for frame in bob.read() if "ok" in frame] == [2]


def test_a_change_checked_too_long_ago_is_void_and_may_be_tried_again() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    late, again = (edited(SAID, "new", client_id="one", at_ms=at_ms) for at_ms in (NOW_MS - 60_001, NOW_MS))
    gateway.await_answer(ana, late)
    gateway.read(timed(records_of(entry_of(SAID), late)))
    [refusal] = [frame["err"] for frame in ana.read() if "err" in frame]
    assert (refusal["code"], refusal["temporary"]) == ("unavailable", True)
    gateway.await_answer(ana, again)
    gateway.read(timed([msgspec.structs.replace(record, offset=2) for record in records_of(again)]))
    assert [frame["ok"]["position"] for frame in ana.read() if "ok" in frame] == ["1:0:2"]
    assert [push["t"] for push in bob.read()] == ["message", "message_edited"]


def test_a_copy_gets_the_first_position_and_undoes_nothing() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    first, second = edited(SAID, "one", client_id="a"), edited(SAID, "two", client_id="b")
    gateway.read(timed(records_of(entry_of(SAID), first, second)))
    ana.read()
    gateway.await_answer(ana, first)
    gateway.read(timed([msgspec.structs.replace(records_of(first)[0], offset=3)]))
    [answer] = ana.read()
    assert (answer["ok"]["position"], answer["ok"]["duplicate"]) == ("1:0:1", True)
    assert [push["d"]["content"] for push in bob.read()] == ["hi", "one", "two"]


def test_an_unsound_change_counts_nowhere() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    wrong = deleted(SAID)
    wrong = Entry(wrong.key, wrong.value.replace(SAID.id.encode(), OTHER.id.encode()), wrong.judge)
    records = timed(records_of(entry_of(SAID), wrong, edited(SAID, "still there")))
    gateway.read(records)
    assert [push["t"] for push in bob.read()] == ["message", "message_edited"]
    batch = persist(records)
    assert ([row.reason for row in batch.dead], len(batch.deltas)) == (["mismatch"], 1)


def test_a_feed_that_begins_in_the_middle_judges_as_the_archive_did() -> None:
    records = timed(
        records_of(
            entry_of(SAID), edited(SAID, "one", base="1:0:0"), edited(SAID, "void", base="1:0:0"),
            edited(SAID, "two", base="1:0:1"),
        )
    )  # fmt: skip
    gateway = Gateway(offsets={0: 2}, settled=Settled({0: 3}, {(0, 1): True}))
    bob = gateway.connect(BOB)
    gateway.read(records[2:])
    assert [push["d"]["content"] for push in bob.read()] == ["two"]


# The same verdicts, whatever comes: one feed from the beginning, one that begins later, and persisters with batches of
# other sizes.

NAMES = ["c1", "c2", "c3", "c4"]
people = st.sampled_from([ANA, BOB, CLEO])
messages = st.sampled_from([SAID, OTHER])
bases = st.one_of(st.none(), st.integers(0, 12).map(lambda offset: f"1:0:{offset}"))
times = st.sampled_from([NOW_MS, NOW_MS, NOW_MS, NOW_MS - 60_001])
names = st.sampled_from(NAMES)
actions = st.one_of(
    st.builds(lambda m, t, b, n, at: edited(m, t, base=b, client_id=n, at_ms=at), messages, names, bases, names, times),
    st.builds(lambda m, p, n: deleted(m, p, client_id=n), messages, people, names),
    st.builds(lambda m, e, p, on, n: reacted(m, e, p, on=on, was_on=False, client_id=n),
              messages, st.sampled_from("👍🎉"), people, st.booleans(), names),
    st.builds(lambda m, p, on: pinned(m, p, on=on, was_on=False), messages, people, st.booleans()),
    st.builds(lambda p, v: removed(p, v) if v % 2 == 0 else added(p, v), people, st.integers(2, 5)),
    st.builds(lambda v, name, b: members(msgspec.structs.replace(role(v, name), blocked=b)),
              st.integers(2, 9), st.sampled_from(["owner", "admin", "member"]), st.booleans()),
    st.builds(entry_of, messages),
)  # fmt: skip


class Archived:
    """A persister over memory: keeps what PostgreSQL would of targets and ids."""

    def __init__(self) -> None:
        self.memberships = Memberships()
        self.past = Past()
        self.stands: dict[tuple[int, int], bool] = {}

    def store(self, records: Sequence[Record]) -> Batch:
        wanted = frozenset(judged_target(record.judge) for record in changes_in(records))
        past = Past(wanted | self.past.wanted, self.past.targets, self.past.keys, set(self.past.ids))
        batch = sort_records(records, self.memberships, past=past)
        self.past = past
        self.past.ids |= {row.record.judge[1:17] for row in batch.deltas} | {
            row.record.judge[1:17] for row in batch.messages
        }
        for row in batch.deltas:
            self.stands[row.record.partition, row.record.offset] = row.effective
        return batch


def persist(records: Sequence[Record], size: int = 100) -> Batch:
    archived = Archived()
    archived.past = Past(frozenset(judged_target(record.judge) for record in changes_in(records)))
    return archived.store(records[:size])


class Recording(Feed):
    """Keeps the places of the changes that it finds in force."""

    def pushed(self) -> list[int]:
        found: list[int] = []
        for _, records in self.recent.since({SAID.conversation.encode()}, [0] * len(self.offsets)):
            found += [record.offset for record in records if len(record.judge) > 65]
        return found


def feed_of(offset: int, settled: Settled) -> Recording:
    ring = Ring(1, 150)
    return Recording(
        epoch=1, offsets={0: offset}, hub=Hub(), pending=Pending(), ring=ring, recent_bytes=2**20, settled=settled
    )


@settings(max_examples=400, deadline=None)
@given(st.lists(actions, min_size=1, max_size=14), st.integers(1, 14), st.integers(0, 14))
def test_every_feed_and_every_persister_comes_to_the_same_verdicts(actions: list[Entry], size: int, begin: int) -> None:
    records = timed(records_of(entry_of(SAID), entry_of(OTHER), *actions))
    archived = Archived()
    archived.past = Past(frozenset(judged_target(record.judge) for record in changes_in(records)))
    for first in range(0, len(records), size):
        archived.store(records[first : first + size])
    effects = {offset for (_, offset), effective in archived.stands.items() if effective}

    feed = feed_of(0, Settled())
    feed.apply(records)
    assert set(feed.pushed()) == effects

    begin = min(begin + 2, len(records))
    late = feed_of(begin, Settled({0: len(records)}, dict(archived.stands)))
    late.apply(records[begin:])
    assert set(late.pushed()) == {offset for offset in effects if offset >= begin}


@pytest.mark.parametrize("value", [b"", b"no JSON", b"\xff", b'{"v":1', b"[" * 9_000, b'{"v":1,"t":"pinned"}', b"null"])
@pytest.mark.parametrize(
    "entry",
    [
        edited(SAID, "hi!"),
        deleted(SAID),
        reacted(SAID, "👍", BOB),
        pinned(SAID, BOB),
        marked(BOB, read="1:0:0", delivered="1:0:0"),
    ],
    ids=["edited", "deleted", "reaction", "pinned", "marker"],
)
@pytest.mark.parametrize("is_heard", [True, False])
def test_a_change_or_a_marker_whose_value_is_none_is_skipped_by_gateways_and_a_dead_letter_of_the_persister(
    entry: Entry, value: bytes, *, is_heard: bool
) -> None:
    """Changes the value alone: the record's key and header are right."""
    gateway = Gateway()
    bob = gateway.connect(BOB, member=is_heard)
    said, bad, after = timed(records_of(entry_of(SAID), entry, entry_of(OTHER)))
    records = [said, msgspec.structs.replace(bad, value=value), after]
    gateway.read(records)
    assert [push["d"]["content"] for push in bob.read()] == (["hi", "yes"] if is_heard else [])
    replayed = [record for _, found in gateway.feed.recent.since({said.key}, [0]) for record in found]
    assert len(gateway.feed.frames(replayed)) == 2

    past = Past(frozenset({judged_target(bad.judge)}) if entry.judge[0] != MARKER else frozenset())
    batch = sort_records(records, Memberships(), past=past)
    assert (len(batch.messages), len(batch.dead), batch.deltas, batch.markers) == (2, 1, [], [])
    assert batch.next_offsets == {0: 3}
