"""Resume: a client that was away gets exactly what it missed, and where that cannot be, it is told so (D7)."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.archive.changes import Asked, ChangesPage, Found, MemberState, Place
from klatsch.archive.message_view import MessageView, view_of_posted
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.replay import never
from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.gateway_parts import REPLAY, Parts, standing_of
from tests.support.peer import Peer
from tests.support.records import (
    ANA,
    BOB,
    COFFEE,
    NOW_MS,
    TEA,
    Somebody,
    added,
    change_of,
    entry_of,
    fresh_client_id,
    in_group,
    message,
    posted,
    removed,
)
from tests.support.waiting import until

Frames = list[dict[str, Any]]


class Client:
    """Somebody who comes and goes, with the token of their last mark."""

    def __init__(self, parts: Parts, somebody: Somebody = ANA) -> None:
        self.parts = parts
        self.somebody = somebody
        self.token: str | None = None
        self.peer = Peer()
        self.outbox: Outbox | None = None
        self.person: ConnectedPerson | None = None
        self.standings = [standing_of(in_group(somebody))]

    async def sign_in(self) -> None:
        self.peer = Peer()
        self.outbox = Outbox(self.peer, self.parts.hub.dirty, 2**20)
        if self.somebody.user_id not in self.parts.hub.people:
            self.parts.database.answers.append(self.standings)
        self.person = await self.parts.join(self.somebody, self.outbox)

    async def catch_up(self, resume: str | None = None, enough: Callable[[], bool] = never) -> None:
        assert self.outbox is not None
        assert self.person is not None
        await self.parts.resuming.resume(self.person, self.outbox, resume or self.token, self._answer, enough)

    def _answer(self, resumed: bool) -> None:  # noqa: FBT001 - as the gateway calls it
        assert self.outbox is not None
        assert self.person is not None
        self.outbox.answer(protocol.ok(1, self.parts.resuming.welcome(self.person, resumed=resumed)))

    async def come(self, resume: str | None = None) -> Frames:
        """Signs in and resumes; returns what came until the mark."""
        await self.sign_in()
        await self.catch_up(resume)
        return self.read()

    def read(self) -> Frames:
        frames = self.peer.read()
        self.token = next((f["resume"] for f in reversed(frames) if f.get("t") == "mark"), self.token)
        return frames

    def go(self) -> None:
        assert self.person is not None
        assert self.outbox is not None
        self.parts.hub.leave(self.person, self.outbox)


def say(parts: Parts, *entries: Entry) -> list[Record]:
    """Appends, and lets the gateway read it."""
    records = [parts.log.append(entry) for entry in entries]
    parts.read_log()
    return records


def contents(frames: Frames) -> list[str]:
    return [frame["d"]["content"] for frame in frames if frame.get("t") == "message"]


def kinds(frames: Frames) -> list[str]:
    return [frame.get("t", "ok") for frame in frames]


async def test_of_a_message_that_was_deleted_since_only_its_place_and_the_deletion_are_replayed() -> None:
    parts = Parts()
    parts.log.clock = lambda: NOW_MS
    client = Client(parts)
    await client.come()
    client.go()
    said = posted(in_group(BOB), "a secret @ana", client_id=fresh_client_id())
    said = msgspec.structs.replace(said, mentions=["ana"], mention_ids=[ANA.user_id])
    other = posted(in_group(BOB), "public", client_id=fresh_client_id())
    say(
        parts,
        *(entry_of(said), entry_of(other), edited(said, "another secret"), reacted(said, "👍", BOB)),
        *(pinned(said, BOB), edited(other, "published"), deleted(said)),
    )
    frames = await client.come()
    assert "secret" not in str(frames)
    [tombstone, kept, edit, deletion] = [frame for frame in frames if "pos" in frame]
    shown = tombstone["d"]
    assert (tombstone["t"], tombstone["pos"], shown["id"]) == ("message", "1:0:0", said.id)
    assert (shown["deleted"], shown["content"], shown["mentions"], shown["mention_ids"]) == (True, "", [], [])
    assert (kept["d"]["content"], edit["d"]["content"]) == ("public", "published")
    assert (deletion["t"], deletion["pos"]) == ("message_deleted", "1:0:6")


async def test_what_was_missed_is_replayed_from_memory_as_it_was_and_nobody_is_asked() -> None:
    parts, client = Parts(), None
    client = Client(parts)
    assert kinds(await client.come()) == ["ok", "mark"]
    say(parts, message(in_group(BOB), "live"))
    live = client.read()
    parts.resume_marks.push_all()
    client.read()
    client.go()
    say(
        parts, message(in_group(BOB), "one"), message(in_group(BOB, COFFEE), "elsewhere"), message(in_group(BOB), "two")
    )
    asked = parts.database.asked
    frames = await client.come()

    assert contents(live) == ["live"]
    assert kinds(frames) == ["ok", "message", "message", "mark"]
    assert contents(frames) == ["one", "two"]
    assert frames[0]["ok"]["resumed"] is True
    assert [frame["pos"] for frame in frames[1:3]] == ["1:0:1", "1:0:3"]
    assert parts.database.asked == asked + 1  # the sign-in's


async def test_an_edit_made_while_away_is_replayed_where_it_stands() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    original = posted(in_group(BOB), "tpyo", client_id=fresh_client_id())
    client.go()
    say(parts, message(in_group(BOB), "first"), change_of(original, "typo", position="1:0:0"))
    frames = await client.come()

    assert kinds(frames) == ["ok", "message", "message_changed", "mark"]
    assert (frames[2]["pos"], frames[2]["d"]["content"]) == ("1:0:1", "typo")


async def test_changes_made_while_away_are_replayed_from_memory_as_they_were() -> None:
    parts = Parts()
    parts.log.clock = lambda: NOW_MS
    client = Client(parts)
    await client.come()
    client.go()
    said = posted(in_group(BOB), "one", client_id=fresh_client_id())
    say(parts, entry_of(said), reacted(said, "👍", ANA), edited(said, "two"), pinned(said, BOB))
    asked = parts.database.asked
    frames = await client.come()

    assert kinds(frames) == ["ok", "message", "reaction", "message_edited", "pinned", "mark"]
    assert frames[1]["d"]["content"] == "one"
    assert [frame["pos"] for frame in frames[1:-1]] == [f"1:0:{offset}" for offset in range(4)]
    assert parts.database.asked == asked + 1  # the sign-in's


async def test_copies_and_voids_are_not_replayed() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    again = message(in_group(BOB), "once")
    say(parts, again, again, removed(BOB), message(in_group(BOB), "void"))
    frames = await client.come()

    assert kinds(frames) == ["ok", "message", "members", "mark"]


async def test_a_token_that_was_used_replays_nothing_twice_and_the_next_goes_on_from_its_mark() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, message(in_group(BOB), "one"))
    assert contents(await client.come()) == ["one"]
    client.go()
    say(parts, message(in_group(BOB), "two"))
    assert contents(await client.come()) == ["two"]


async def test_a_replay_that_was_cut_is_simply_repeated() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    old = client.token
    say(parts, message(in_group(BOB), "one"))
    await client.come()
    client.go()
    assert contents(await client.come(old)) == ["one"]


async def test_who_is_removed_while_away_finds_that_out_and_nothing_more() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, message(in_group(BOB), "before"), removed(ANA), message(in_group(BOB), "after"))
    client.standings = [standing_of(in_group(ANA), 2, active=False)]
    frames = await client.come()

    assert kinds(frames) == ["ok", "members", "mark"]
    assert frames[1]["d"]["members"][0]["active"] is False


async def test_who_is_removed_and_added_again_while_away_gets_each_record_once() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, removed(ANA, 2), message(in_group(BOB), "between"), added(ANA, 3), message(in_group(BOB), "after"))
    client.standings = [standing_of(in_group(ANA), 3)]
    frames = await client.come()

    assert kinds(frames) == ["ok", "members", "message", "members", "message", "mark"]


async def test_who_is_added_while_away_gets_the_record_and_what_was_said_since() -> None:
    parts = Parts()
    client = Client(parts)
    client.standings = []
    await client.come()
    client.go()
    say(parts, added(ANA), message(in_group(BOB), "welcome"))
    client.standings = [standing_of(in_group(ANA))]
    assert kinds(await client.come()) == ["ok", "members", "message", "mark"]


async def test_what_comes_while_the_archive_is_asked_comes_once_and_in_order() -> None:
    parts = Parts(recent_bytes=16)
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, message(in_group(BOB), "long ago"))
    for number in range(40):
        say(parts, message(in_group(BOB, COFFEE), f"elsewhere {number}"))
    here = parts.feed.offsets[0]

    async def slow_archive() -> Found:
        say(parts, message(in_group(BOB), "meanwhile"), added(ANA, conversation=COFFEE))
        say(parts, message(in_group(BOB, COFFEE), "and there"))
        return found(here)

    await client.sign_in()
    # Memory has moved on meanwhile, so the archive is asked for the rest of it, where nothing was said.
    parts.database.answers += [slow_archive, ChangesPage([view("long ago", "1:0:0")]), Found({0: 10**6})]
    await client.catch_up()
    say(parts, message(in_group(BOB), "live"))
    frames = client.read()

    tea = [f for f in frames if f.get("d", {}).get("conversation") == str(TEA)]
    assert [(f["t"], f["d"]["content"]) for f in tea] == [
        ("state", "long ago"),
        ("message", "meanwhile"),
        ("message", "live"),
    ]
    assert kinds(frames)[-4:] == ["members", "message", "mark", "message"]
    positions = [int(f["pos"].split(":")[2]) for f in frames if "pos" in f]
    assert positions == sorted(set(positions))


async def test_where_the_archive_lags_behind_memory_the_conversation_is_to_be_loaded_anew() -> None:
    parts = Parts(recent_bytes=16)
    client = Client(parts)
    await client.come()
    client.go()
    for number in range(40):
        say(parts, message(in_group(BOB), f"text {number}"))
    await client.sign_in()
    parts.database.answers += [found(3), ChangesPage([view("text 0", "1:0:0")])] * 3 + [[]]
    await client.catch_up()
    frames = client.read()

    assert kinds(frames)[0] == "ok"
    assert kinds(frames)[-2:] == ["reset", "mark"]
    assert "message" not in kinds(frames)
    reset, mark = frames[-2:]
    assert reset["d"] == {"conversations": [str(TEA)], "why": "archive_behind", "at_least": mark["resume"]}


async def test_more_changes_than_the_cap_are_a_reset_of_that_conversation_alone() -> None:
    parts = Parts()
    client = Client(parts)
    client.standings = [standing_of(in_group(ANA)), standing_of(in_group(ANA, COFFEE))]
    await client.come()
    client.go()
    say(parts, *(message(in_group(BOB), f"text {n}") for n in range(REPLAY.each_most + 1)))
    say(parts, message(in_group(BOB, COFFEE), "quiet"))
    frames = await client.come()

    assert contents(frames) == ["quiet"]
    assert [f["d"]["conversations"] for f in frames if f.get("t") == "reset"] == [[str(TEA)]]
    assert frames[-2]["d"]["why"] == "too_far_behind"
    assert frames[0]["ok"]["resumed"] is True


async def away_from_a_small_memory(parts: Parts) -> Client:
    """Somebody whose token memory does not reach back to; the archive has all that was said."""
    client = Client(parts)
    await client.come()
    client.go()
    for number in range(40):
        say(parts, message(in_group(BOB, COFFEE), f"elsewhere {number}"))
    await client.sign_in()
    return client


async def test_the_archive_is_read_page_by_page_as_the_peer_takes_it() -> None:
    parts = Parts(recent_bytes=16)
    client = await away_from_a_small_memory(parts)
    pages = [ChangesPage([view(f"text {n}", f"1:0:{n}")], reached=Place(0, n) if n < 3 else None) for n in range(4)]
    parts.database.answers += [found(parts.feed.offsets[0], messages=4), *pages]
    client.peer.stalls_after = 2  # the answer, and a first page
    coming = asyncio.ensure_future(client.catch_up())
    await until(lambda: client.peer.paused)
    for _ in range(10):
        await asyncio.sleep(0)
    assert parts.database.answers == pages[1:]  # a peer that takes nothing holds no page
    client.peer.stalls_after, client.peer.paused = None, False
    await coming

    assert [f["d"]["content"] for f in client.read() if f.get("t") == "state"] == [f"text {n}" for n in range(4)]


async def test_a_replay_that_is_enough_ends_with_the_mark_of_the_place_reached_and_hears_nothing_more() -> None:
    parts = Parts(recent_bytes=16)
    client = await away_from_a_small_memory(parts)
    pages = [
        ChangesPage([view("text 0", "1:0:0")], reached=Place(0, 0)),
        ChangesPage([view("text 1", "1:0:4")], reached=Place(0, 4)),
    ]
    parts.database.answers += [found(parts.feed.offsets[0], messages=9), *pages]
    await client.catch_up(enough=lambda: not parts.database.answers)
    say(parts, message(in_group(BOB), "live"))
    frames = client.read()

    assert kinds(frames) == ["ok", "state", "state", "mark"]
    assert str(client.token).endswith(".0:5")


async def test_old_messages_that_no_token_parts_are_to_be_loaded_anew_where_a_replay_is_enough() -> None:
    parts = Parts(recent_bytes=16)
    client = await away_from_a_small_memory(parts)
    archived = parts.feed.recent.begins[0]
    changed_later = ChangesPage([view("edited just now", "1:0:0")], reached=Place(0, archived + 7))
    parts.database.answers += [found(archived, messages=9), changed_later]
    await client.catch_up(enough=lambda: not parts.database.answers)
    frames = client.read()

    assert kinds(frames) == ["ok", "state", "reset", "mark"]
    assert (frames[2]["d"]["conversations"], frames[2]["d"]["why"]) == ([str(TEA)], "too_far_behind")
    assert str(client.token).endswith(f".0:{archived}")


async def test_who_is_removed_in_the_middle_of_a_replay_is_told_nothing_more_of_it() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, *(message(in_group(BOB), f"{number} " + "x" * 3_000) for number in range(60)))
    await client.sign_in()
    client.peer.stalls_after = 2  # the answer, and a first part
    coming = asyncio.ensure_future(client.catch_up())
    await until(lambda: client.peer.paused)
    told = len(contents(client.read()))
    say(parts, removed(ANA))
    client.peer.stalls_after, client.peer.paused = None, False
    await coming

    assert 0 < told < 60
    assert kinds(client.read()) == ["members", "mark"]


async def test_what_the_archive_says_of_members_is_told_before_what_was_said() -> None:
    parts = Parts(recent_bytes=16)
    client = Client(parts)
    await client.come()
    client.go()
    for number in range(40):
        say(parts, message(in_group(BOB, COFFEE), f"elsewhere {number}"))
    await client.sign_in()
    members = [MemberState("bob", BOB.user_id, active=True, role="member", version=1)]
    parts.database.answers += [found(parts.feed.offsets[0]), ChangesPage([view("hi", "1:0:0")], {str(TEA): members})]
    await client.catch_up()
    frames = client.read()

    assert [f["d"]["kind"] for f in frames if f.get("t") == "state"] == ["members", "message"]


@pytest.mark.parametrize(
    ("resume", "why"),
    [
        ("1.{other}.0:0", "too_far_behind"),
        ("2.{own}.0:0", "unknown_epoch"),
        ("1.{own}.0:0.1:0", "too_far_behind"),
        ("1.{own}.0:99", "too_far_behind"),
        ("1.{own}.0:-1", "unknown_epoch"),
        ("1.{own}", "unknown_epoch"),
        ("forged", "unknown_epoch"),
    ],
    ids=["another person's", "another epoch's", "too many partitions", "from the future", "negative", "cut", "forged"],
)
async def test_a_token_of_no_use_is_a_reset(resume: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.gateway.resuming._AHEAD_S", 0.02)
    parts = Parts()
    client, bob = Client(parts), Client(parts, BOB)
    say(parts, message(in_group(BOB), "before"))
    await client.come()
    await bob.come()
    own, other = (str(one.token).split(".")[1] for one in (client, bob))
    client.go()
    frames = await client.come(resume.format(own=own, other=other))

    assert kinds(frames) == ["ok", "reset", "mark"]
    assert frames[0]["ok"]["resumed"] is False
    assert (frames[1]["d"]["why"], frames[1]["d"]["conversations"]) == (why, [str(TEA)])


async def test_a_token_of_a_gateway_that_is_ahead_is_waited_for() -> None:
    ahead, behind = Parts(), Parts()
    client = Client(ahead)
    entry = message(in_group(BOB), "seen there already")
    say(ahead, entry)
    await client.come()
    away = Client(behind)
    away.token = client.token
    await away.sign_in()
    coming = asyncio.ensure_future(away.catch_up())
    behind.log.append(entry)
    behind.read_log()
    await coming

    assert kinds(away.read()) == ["ok", "mark"]


async def test_a_peer_that_stalls_in_a_replay_holds_up_nobody_and_gets_it_all_when_it_reads_on() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    texts = [f"{number} " + "x" * 3_000 for number in range(60)]
    say(parts, *(message(in_group(BOB), text) for text in texts))
    await client.sign_in()
    client.peer.stalls_after = 2  # the answer, and a first part
    coming = asyncio.ensure_future(client.catch_up())
    await until(lambda: client.peer.paused)
    say(parts, message(in_group(BOB), "meanwhile"))
    assert not coming.done()
    client.peer.stalls_after, client.peer.paused = None, False
    await coming

    frames = client.read()
    assert contents(frames) == [*texts, "meanwhile"]
    assert kinds(frames)[-1] == "mark"


async def test_a_peer_that_stalls_when_all_has_been_replayed_holds_up_nobody() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    texts = [f"{number} " + "x" * 3_000 for number in range(60)]
    say(parts, *(message(in_group(BOB), text) for text in texts))
    await client.sign_in()
    client.peer.stalls_after = 5  # the answer, and all four parts: nothing is left to be replayed
    coming = asyncio.ensure_future(client.catch_up())
    await until(lambda: client.peer.paused)
    assert not coming.done()
    client.peer.stalls_after, client.peer.paused = None, False
    await asyncio.wait_for(coming, 5)

    frames = client.read()
    assert contents(frames) == texts
    assert kinds(frames)[-1] == "mark"


def found(archived: int, *, messages: int = 1) -> Found:
    """What an archive that has come so far says, where something was said at the tea."""
    return Found({0: archived}, [Asked(str(TEA), 0, 0, archived)], {str(TEA): messages})


def view(content: str, position: str) -> MessageView:
    """A message as the archive has it."""
    return view_of_posted(posted(in_group(BOB), content, client_id=fresh_client_id()), position, seq=1)


acts = st.lists(st.sampled_from(["say", "elsewhere", "go", "come", "mark", "cut"]), max_size=40)


@given(acts)
def test_whenever_it_comes_and_goes_a_client_sees_everything_once_and_in_order(steps: list[str]) -> None:
    async def live() -> tuple[list[str], list[str]]:
        parts = Parts()
        client, said, seen, here = Client(parts), [], [], True
        kept: set[str] = set()
        await client.come()
        for number, step in enumerate(steps):
            if step in {"say", "elsewhere"}:
                text = f"text {number}"
                said += [text] if step == "say" else []
                say(parts, message(in_group(BOB, TEA if step == "say" else COFFEE), text))
            elif step == "mark":
                parts.resume_marks.push_all()
            elif step in {"go", "cut"} and here:
                if step == "go":  # what is on its way when it is cut is lost
                    seen += new(client.read(), kept)
                client.go()
                here = False
            elif step == "come" and not here:
                seen += new(await client.come(), kept)
                here = True
        seen += new(client.read() if here else await client.come(), kept)
        return said, seen

    said, seen = asyncio.run(live())
    assert seen == said


def new(frames: Frames, known: set[str]) -> list[str]:
    """What a client shows: it drops a message whose id it knows."""
    fresh = [f["d"] for f in frames if f.get("t") == "message" and f["d"]["id"] not in known]
    known |= {d["id"] for d in fresh}
    return [d["content"] for d in fresh]
