"""The checker finds what a blocked person sends and others see, and an archive that reads otherwise than the log."""

import json
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from faults.checker import check
from faults.evidence import About, Evidence, LogRecord, MarkerRow, MentionRow, Row
from faults.folding import State
from faults.history import (
    Answered,
    Blocked,
    Blocking,
    Connected,
    Event,
    Invoked,
    Listed,
    ListShown,
    Marked,
    Pushed,
    Refused,
    hash_of,
)
from klatsch.records.members import Membership
from klatsch.records.messages import MessagePosted
from tests.support.records import ANA, BOB, TEA, Somebody, entry_of, fresh_client_id, in_group, marked, members, posted

TALK = str(TEA)
TOKEN = "1.x.0:{}"


def standing(somebody: Somebody, version: int, *, blocked: bool = False) -> Membership:
    return Membership(
        user=somebody.name, user_id=somebody.user_id, role="member", version=version, active=True, blocked=blocked
    )


def said(sender: Somebody, text: str) -> MessagePosted:
    return posted(in_group(sender), text, client_id=fresh_client_id())


HI, AT_BOB, VOID, AGAIN = said(ANA, "hi"), said(ANA, "@bob"), said(BOB, "let me"), said(BOB, "thanks")
RECORDS = (
    members(standing(ANA, 1), standing(BOB, 1), kind="direct"), entry_of(HI), entry_of(AT_BOB),
    marked(BOB, read="1:0:1", delivered="1:0:1"),
    members(standing(ANA, 2), standing(BOB, 2, blocked=True), kind="direct"),
    entry_of(VOID), members(standing(ANA, 3), standing(BOB, 3), kind="direct"), entry_of(AGAIN),
)  # fmt: skip
"""Bob has read the first message, and is blocked from the offset 4 to 6: what he says at 5 is void."""


def log() -> list[LogRecord]:
    found: list[LogRecord] = []
    for offset, entry in enumerate(RECORDS):
        body, judge = json.loads(entry.value), entry.judge.hex()
        if body["t"] == "message":
            named = [BOB.user_id] if body["content"] == "@bob" else []
            rest = (body["client_id"], hash_of(body["content"]), "", 0, named)
            found.append(LogRecord(0, offset, TALK, judge, *rest))
        else:
            found.append(LogRecord(0, offset, entry.key.decode(), judge, value=entry.value.decode()))
    return found


def row(event: MessagePosted, offset: int, seq: int) -> Row:
    place, state = f"1:0:{offset}", State(hash_of(event.content))
    return Row(event.id, event.client_id, TALK, event.sender_id, place, seq, state.hash, place, state.text())


def pushed(at: float, event: MessagePosted, offset: int) -> Pushed:
    return Pushed(at, 1, "message", f"1:0:{offset}", TALK, event.id, event.sender, hash_of(event.content))


def asked(at: float, event: MessagePosted, *named: str) -> Invoked:
    return Invoked(at, 1, event.client_id, TALK, hash_of(event.content), list(named))


def answered(at: float, event: MessagePosted, offset: int) -> Answered:
    return Answered(at, 1, event.client_id, event.id, f"1:0:{offset}", duplicate=False)


REFUSED = Refused(7, 1, VOID.client_id, "blocked", temporary=False)
ANAS: list[Event] = [
    Connected(1, 1, "g", None), Marked(2, 1, TOKEN.format(1)), asked(2, HI), answered(3, HI, 1),
    asked(3, AT_BOB, "bob"), answered(4, AT_BOB, 2), Blocking(4, TALK, BOB.user_id, on=True),
    Blocked(5, TALK, BOB.user_id, on=True), Blocking(8, TALK, BOB.user_id, on=False),
    Blocked(9, TALK, BOB.user_id, on=False), pushed(11, AGAIN, 7), Marked(12, 1, TOKEN.format(8)),
    ListShown(13, [Listed(TALK, 1, 0, "", "")]),
]  # fmt: skip
BOBS: list[Event] = [
    Connected(1, 1, "g", None), Marked(2, 1, TOKEN.format(1)), pushed(3, HI, 1), pushed(4, AT_BOB, 2), asked(6, VOID),
    REFUSED, asked(10, AGAIN), answered(11, AGAIN, 7), Marked(12, 1, TOKEN.format(8)),
    ListShown(13, [Listed(TALK, 1, 1, "1:0:1", "1:0:1")]),
]  # fmt: skip
GOOD = Evidence(
    About(1, {"ana": ANA.user_id, "bob": BOB.user_id}),
    log(),
    [row(HI, 1, 1), row(AT_BOB, 2, 2), row(AGAIN, 7, 3)],
    {"ana#0": ANAS, "bob#0": BOBS},
    mentions=[MentionRow(AT_BOB.id, BOB.user_id, 2)],
    markers=[MarkerRow(TALK, ANA.user_id, -1, -1, 0), MarkerRow(TALK, BOB.user_id, 1, 1, 1)],
)


def saw(client: str, instead: Event, *events: Event) -> Callable[[], Evidence]:
    """Returns a client's history with other events in place of one."""
    history = list(GOOD.histories[client])
    where = history.index(instead)
    changed = [*history[:where], *events, *history[where + 1 :]]
    return lambda: replace(GOOD, histories={**GOOD.histories, client: changed})


def listed(client: str, **fields: object) -> Callable[[], Evidence]:
    shown = GOOD.histories[client][-1]
    assert isinstance(shown, ListShown)
    return saw(client, shown, ListShown(13, [msgspec.structs.replace(shown.conversations[0], **fields)]))


WRONG: dict[str, tuple[Callable[[], Evidence], str]] = {
    "what a blocked person said is shown": (
        saw("ana#0", ANAS[-3], Pushed(10, 1, "message", "1:0:5", TALK, VOID.id, "bob", hash_of("let me")), ANAS[-3]),
        "I6",
    ),
    "what a blocked person said is archived": (
        lambda: replace(GOOD, archive=[*GOOD.archive[:2], row(VOID, 5, 3), row(AGAIN, 7, 4)]), "I2",
    ),
    "what a blocked person said is acknowledged": (saw("bob#0", REFUSED, answered(7, VOID, 5)), "I6"),
    "what a blocked person said is answered otherwise": (
        saw("bob#0", REFUSED, msgspec.structs.replace(REFUSED, code="forbidden")), "I3",
    ),
    "a mention is not archived": (lambda: replace(GOOD, mentions=[]), "I2"),
    "a mention is archived that nobody wrote": (
        lambda: replace(GOOD, mentions=[*GOOD.mentions, MentionRow(HI.id, BOB.user_id, 1)]), "I2",
    ),
    "a named member is not mentioned": (saw("ana#0", ANAS[2], asked(2, HI, "bob")), "I3"),
    "a marker has moved back": (
        lambda: replace(GOOD, markers=[GOOD.markers[0], MarkerRow(TALK, BOB.user_id, 1, -1, 0)]), "I2",
    ),
    "a marker is not archived": (lambda: replace(GOOD, markers=GOOD.markers[:1]), "I2"),
    "one's own messages are unread": (listed("bob#0", unread=2), "I2"),
    "a mention is not counted": (listed("bob#0", mentions=0), "I2"),
    "a list shows another marker": (listed("bob#0", read="1:0:2"), "I2"),
}  # fmt: skip


def found(evidence: Evidence) -> set[str]:
    return {contradiction.invariant for contradiction in check(evidence).contradictions}


def test_a_block_that_holds_contradicts_nothing() -> None:
    assert check(GOOD).contradictions == []


@pytest.mark.parametrize("what", WRONG)
def test_it_is_found_that(what: str) -> None:
    spoil, invariant = WRONG[what]
    assert invariant in found(spoil())


def test_an_answer_after_the_block_was_lifted_says_nothing() -> None:
    late = fresh_client_id()
    evidence = saw(
        "bob#0", REFUSED, REFUSED, Invoked(7.5, 1, late, TALK, hash_of("late")),
        Refused(8.5, 1, late, "not_a_member", temporary=False),
    )()  # fmt: skip
    assert found(evidence) == set()


def test_who_blocks_is_refused_too() -> None:
    lost = fresh_client_id()
    asked_in_block = Invoked(6, 1, lost, TALK, hash_of("lost"))
    refused = Refused(7, 1, lost, "forbidden", temporary=False)
    blocks = ANAS[7]
    assert found(saw("ana#0", blocks, blocks, asked_in_block, refused)()) == set()


def test_a_member_who_comes_back_begins_with_nothing_unread() -> None:
    out, back = (
        json.dumps({"conversation": TALK, "members": [{"user_id": BOB.user_id, "version": v, "active": v == 5}]})
        for v in (4, 5)
    )
    log = [*GOOD.log, LogRecord(0, 8, f"members:{TALK}", value=out), LogRecord(0, 9, f"members:{TALK}", value=back)]
    evidence = replace(GOOD, log=log, markers=[GOOD.markers[0], MarkerRow(TALK, BOB.user_id, 1, 1, 3)])
    assert "I2" in found(evidence)  # the list still says one unread message
    shown = [ListShown(13, [Listed(TALK, 0, 0, "1:0:1", "1:0:1")])]
    evidence = replace(evidence, histories={**GOOD.histories, "bob#0": [*BOBS[:-1], *shown]})
    assert "I2" not in found(evidence)


@pytest.mark.parametrize(("away", "holds"), [([(1.5, 2.5)], True), ([(9.0, 9.5)], False)])
def test_a_send_names_nobody_only_while_postgresql_was_silent(away: list[tuple[float, float]], *, holds: bool) -> None:
    unnamed = saw("ana#0", ANAS[2], asked(2, HI, "bob"))()
    about = msgspec.structs.replace(unnamed.about, without_postgres=away)
    assert found(replace(unnamed, about=about)) == (set() if holds else {"I3"})
