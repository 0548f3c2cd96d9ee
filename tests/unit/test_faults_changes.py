"""The checker judges edits, deletions, reactions and pins by protocol.md, and finds what a client sees otherwise."""

import json
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from faults.checker import check
from faults.evidence import About, ChangeRow, Evidence, LogRecord, Row
from faults.folding import DELETED, EDITED, REACTION, State
from faults.history import Answered, Connected, Delta, Event, Held, Marked, Pushed, Refused, Stated, Wanted, hash_of
from klatsch.core.ids import message_id
from klatsch.eventlog.log import Entry
from tests.support.changes import deleted, edited, reacted
from tests.support.records import ANA, BOB, NOW_MS, TEA, added, entry_of, fresh_client_id, in_group, posted

SAID = posted(in_group(ANA), "hi", client_id=fresh_client_id())
OTHER = posted(in_group(BOB), "yes", client_id=fresh_client_id())
TWO, GONE = fresh_client_id(), fresh_client_id()
TALK = str(TEA)
ENTRIES = (
    added(ANA), added(BOB), entry_of(SAID), entry_of(OTHER), edited(SAID, "two", client_id=TWO),
    reacted(SAID, "👍", BOB, client_id="👍".encode().hex()), edited(SAID, "two", client_id=TWO),
    edited(SAID, "void", base="1:0:2"), deleted(OTHER, client_id=GONE),
)  # fmt: skip
"""At the offsets 6 and 7 are a copy, and an edit whose author had not seen that at 4."""
EDIT_ID = str(UUID(bytes=message_id(TEA.bytes, ANA.id.bytes, TWO)))
LAST = State(hash_of("two"), reactions=frozenset({("👍", "bob")}))
TOKEN = "1.x.0:{}"


def in_log(offset: int, entry: Entry) -> LogRecord:
    body = json.loads(entry.value)
    if body["t"] == "message":
        return LogRecord(0, offset, TALK, entry.judge.hex(), body["client_id"], hash_of(body["content"]))
    if "content" in body:
        body["hash"] = hash_of(body.pop("content"))
    return LogRecord(0, offset, entry.key.decode(), entry.judge.hex(), value=json.dumps(body), time_ms=NOW_MS)


def own_id(offset: int) -> str:
    return str(UUID(bytes=ENTRIES[offset].judge[1:17]))


def row(event: msgspec.Struct, offset: int, seq: int, changed: int, state: State) -> Row:
    told = msgspec.structs.asdict(event)
    return Row(
        told["id"], told["client_id"], TALK, told["sender_id"], f"1:0:{offset}", seq, state.hash, f"1:0:{changed}",
        state.text(),
    )  # fmt: skip


HELD = {TALK: {SAID.id: LAST.text(), OTHER.id: State(hash_of(""), deleted=True).text()}}


def delta(at: float, offset: int, target: str, what: str, body: str) -> Delta:
    return Delta(at, 1, f"1:0:{offset}", TALK, target, what, body)


BOBS: list[Event] = [
    Connected(1, 1, "g", None), Marked(2, 1, TOKEN.format(2)),
    Pushed(3, 1, "message", "1:0:2", TALK, SAID.id, "ana", hash_of("hi")),
    Pushed(3, 1, "message", "1:0:3", TALK, OTHER.id, "bob", hash_of("yes")),
    delta(4, 4, SAID.id, EDITED, hash_of("two")), delta(5, 5, SAID.id, REACTION, "bob 👍 on"),
    delta(6, 8, OTHER.id, DELETED, ""), Marked(7, 1, TOKEN.format(9)), Held(8, HELD),
]  # fmt: skip
ANAS: list[Event] = [
    Connected(1, 1, "g", None), Marked(2, 1, TOKEN.format(4)), Wanted(3, 1, TWO, TALK, SAID.id, EDITED, hash_of("two")),
    Answered(4, 1, TWO, EDIT_ID, "1:0:4", duplicate=False),
    Stated(5, 1, "1:0:2", TALK, SAID.id, hash_of("two"), "1:0:5", LAST.text()),
    Marked(7, 1, TOKEN.format(9)), Held(8, HELD),
]  # fmt: skip
GOOD = Evidence(
    About(1, {"ana": ANA.user_id, "bob": BOB.user_id}),
    [in_log(offset, entry) for offset, entry in enumerate(ENTRIES)],
    [row(SAID, 2, 1, 5, LAST), row(OTHER, 3, 2, 8, State(hash_of(""), deleted=True))],
    {"ana#0": ANAS, "bob#0": BOBS},
    [ChangeRow(own_id(offset), f"1:0:{offset}", effective=True) for offset in (4, 5, 8)],
)


def with_histories(*, ana: list[Event] | None = None, bob: list[Event] | None = None) -> Evidence:
    return replace(GOOD, histories={"ana#0": ana or ANAS, "bob#0": bob or BOBS})


def found(evidence: Evidence) -> set[str]:
    return {contradiction.invariant for contradiction in check(evidence).contradictions}


def test_what_was_seen_as_the_log_has_it_contradicts_nothing() -> None:
    assert check(GOOD).contradictions == []


def test_a_change_of_a_message_that_is_not_in_its_partition_counts_for_nothing() -> None:
    elsewhere = posted(in_group(ANA), "elsewhere", client_id=fresh_client_id())
    change = in_log(len(ENTRIES), edited(elsewhere, "two"))
    assert check(replace(GOOD, log=[*GOOD.log, change])).contradictions == []


def archived(index: int, **fields: str) -> Callable[[], Evidence]:
    rows = list(GOOD.archive)
    rows[index] = msgspec.structs.replace(rows[index], **fields)
    return lambda: replace(GOOD, archive=rows)


WRONG: dict[str, tuple[Callable[[], Evidence], str]] = {
    "an acknowledged change is not archived": (lambda: replace(GOOD, changes=GOOD.changes[1:]), "I1"),
    "a change that counts is not archived": (lambda: replace(GOOD, changes=GOOD.changes[:1]), "I2"),
    "a void change is archived": (
        lambda: replace(GOOD, changes=[*GOOD.changes, ChangeRow(own_id(7), "1:0:7", effective=True)]), "I2",
    ),
    "a change is archived elsewhere": (
        lambda: replace(GOOD, changes=[ChangeRow(own_id(4), "1:0:6", effective=True), *GOOD.changes[1:]]), "I3",
    ),
    "a deleted text is back": (
        archived(1, hash=hash_of("yes"), state=State(hash_of("yes")).text()), "I2",
    ),
    "a reaction is lost in the archive": (archived(0, state=State(hash_of("two")).text()), "I2"),
    "a void change is shown": (
        lambda: with_histories(bob=[*BOBS[:7], delta(6, 7, SAID.id, EDITED, hash_of("void")), *BOBS[7:]]), "I6",
    ),
    "a copy is shown": (
        lambda: with_histories(bob=[*BOBS[:6], delta(6, 6, SAID.id, EDITED, hash_of("two")), *BOBS[6:]]), "I6",
    ),
    "a change is shown as another": (
        lambda: with_histories(bob=[*BOBS[:5], delta(5, 5, SAID.id, REACTION, "bob 👍 off"), *BOBS[6:]]), "I3",
    ),
    "changes are shown in another order": (
        lambda: with_histories(bob=[*BOBS[:4], BOBS[5], BOBS[4], *BOBS[6:]]), "I4",
    ),
    "a change is shown twice": (lambda: with_histories(bob=[*BOBS[:6], BOBS[5], *BOBS[6:]]), "I5"),
    "a state is not that of its position": (
        lambda: with_histories(ana=[
            *ANAS[:4], Stated(5, 1, "1:0:2", TALK, SAID.id, hash_of("hi"), "1:0:5", State(hash_of("hi")).text()),
            *ANAS[5:],
        ]), "I3",
    ),
    "a client ends with something else": (
        lambda: with_histories(bob=[*BOBS[:-1], Held(8, {TALK: {SAID.id: State(hash_of("hi")).text()}})]), "I5",
    ),
    "a change is acknowledged as another": (
        lambda: with_histories(
            ana=[*ANAS[:2], Wanted(3, 1, TWO, TALK, SAID.id, EDITED, hash_of("x")), *ANAS[3:]]
        ), "I3",
    ),
    "a refused change counts": (
        lambda: with_histories(ana=[*ANAS[:3], Refused(4, 1, TWO, "gone", temporary=False), *ANAS[4:]]), "I3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_it_is_found_that(what: str) -> None:
    make, invariant = WRONG[what]
    assert invariant in found(make())
