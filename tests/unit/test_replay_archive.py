"""Resume from the archive: what memory no longer holds is read page by page, and is told before what comes live."""

import asyncio

from klatsch.archive.changes import ChangesPage, Found, GroupState, MemberState, Place
from tests.support.gateway_parts import FEW_RECORDS, Parts
from tests.support.records import ANA, BOB, COFFEE, TEA, added, in_group, message
from tests.support.waiting import until
from tests.unit.replay_client import Client, found, kinds, say, view


async def test_what_comes_while_the_archive_is_asked_comes_once_and_in_order() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    await client.miss_much(message(in_group(BOB), "long ago"))
    here = parts.feed.offsets[0]

    async def slow_archive() -> Found:
        say(parts, message(in_group(BOB), "meanwhile"), added(ANA, conversation=COFFEE))
        say(parts, message(in_group(BOB, COFFEE), "and there"))
        return found(here)

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
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    await client.miss_much(conversation=TEA)
    parts.database.answers += [found(3), ChangesPage([view("text 0", "1:0:0")])] * 3 + [[]]
    await client.catch_up()
    frames = client.read()

    assert kinds(frames)[0] == "ok"
    assert kinds(frames)[-2:] == ["reset", "mark"]
    assert "message" not in kinds(frames)
    reset, mark = frames[-2:]
    assert reset["d"] == {"conversations": [str(TEA)], "why": "archive_behind", "at_least": mark["resume"]}


async def away_from_a_small_memory(parts: Parts) -> Client:
    """Returns a client whose token the memory does not reach back to; the archive has all that was said."""
    client = Client(parts)
    await client.miss_much()
    return client


async def test_the_archive_is_read_page_by_page_as_the_peer_takes_it() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
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
    parts = Parts(recent_bytes=FEW_RECORDS)
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
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = await away_from_a_small_memory(parts)
    archived = parts.feed.recent.begins[0]
    changed_later = ChangesPage([view("edited just now", "1:0:0")], reached=Place(0, archived + 7))
    parts.database.answers += [found(archived, messages=9), changed_later]
    await client.catch_up(enough=lambda: not parts.database.answers)
    frames = client.read()

    assert kinds(frames) == ["ok", "state", "reset", "mark"]
    assert (frames[2]["d"]["conversations"], frames[2]["d"]["why"]) == ([str(TEA)], "too_far_behind")
    assert str(client.token).endswith(f".0:{archived}")


async def test_what_the_archive_says_of_members_is_told_before_what_was_said() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    await client.miss_much()
    members = [MemberState("bob", BOB.user_id, active=True, role="member", version=1)]
    page = ChangesPage([view("hi", "1:0:0")], {str(TEA): members}, {str(TEA): GroupState("Tea", "At four", 2, 7)})
    parts.database.answers += [found(parts.feed.offsets[0]), page]
    await client.catch_up()
    told = [frame["d"] for frame in client.read() if frame.get("t") == "state"]

    assert [body["kind"] for body in told] == ["members", "message"]
    assert [told[0][name] for name in ("title", "description", "member_count", "version")] == ["Tea", "At four", 2, 7]
