"""Resume: a client that was away gets exactly what it missed, and where that cannot be, it is told so (D7)."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.gateway_parts import REPLAY, Parts, standing_of
from tests.support.records import (
    ANA,
    BOB,
    COFFEE,
    NOW_MS,
    TEA,
    change_of,
    entry_of,
    fresh_client_id,
    in_group,
    message,
    posted,
    removed,
)
from tests.support.waiting import until
from tests.unit.replay_client import Client, Frames, contents, kinds, say


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
    monkeypatch.setattr("klatsch.gateway.feed.reaching.AHEAD_S", 0.02)
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
    """Returns what a client shows: it drops a message whose id it knows."""
    fresh = [f["d"] for f in frames if f.get("t") == "message" and f["d"]["id"] not in known]
    known |= {d["id"] for d in fresh}
    return [d["content"] for d in fresh]
