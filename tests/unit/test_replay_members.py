"""Resume of a client that was added or removed while it was away, or during the replay: it gets what it may see."""

import asyncio
from uuid import UUID

import pytest

from klatsch.archive.changes import Found
from tests.support.gateway_parts import FEW_RECORDS, REPLAY, Parts, standing_of
from tests.support.records import ANA, BOB, COFFEE, TEA, added, in_group, message, removed
from tests.support.waiting import until
from tests.unit.replay_client import Client, Frames, contents, kinds, say


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


def ended_by(frames: Frames) -> dict[str, int]:
    """Returns the conversations that frames say Ana is no member of, each with the version that says so."""
    told = [frame["d"] for frame in frames if frame.get("t") in {"state", "members"}]
    assert [(body["members"][0]["user"], body["members"][0]["active"]) for body in told] == [("ana", False)] * len(told)
    return {body["conversation"]: body["members"][0]["version"] for body in told}


async def test_who_was_removed_while_away_is_told_so_even_where_the_archive_is_behind() -> None:
    """The replay went past the record, and no reset names a conversation that the person is not in."""
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    client.standings = [standing_of(in_group(ANA)), standing_of(in_group(ANA, COFFEE))]
    await client.come()
    client.go()
    say(parts, removed(ANA))
    for number in range(40):
        say(parts, message(in_group(BOB, COFFEE), f"text {number}"))
    client.standings = [standing_of(in_group(ANA), 2, active=False), standing_of(in_group(ANA, COFFEE))]
    await client.sign_in()
    parts.database.answers += [*[Found({0: 0})] * 3, []]
    await client.catch_up()
    frames = client.read()

    assert ended_by(frames) == {str(TEA): 2}
    assert [frame["d"]["conversations"] for frame in frames if frame.get("t") == "reset"] == [[str(COFFEE)]]
    assert kinds(frames)[-1] == "mark"


@pytest.mark.parametrize("token", ["2.{own}.0:0", "forged"])
async def test_who_was_removed_while_away_is_told_so_even_where_the_token_cannot_be_used(token: str) -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, removed(ANA))
    client.standings = [standing_of(in_group(ANA), 2, active=False), standing_of(in_group(ANA, COFFEE))]
    frames = await client.come(token.format(own=parts.tokens.now(ANA.user_id).split(".")[1]))

    assert kinds(frames) == ["ok", "state", "reset", "mark"]
    assert ended_by(frames) == {str(TEA): 2}
    assert frames[2]["d"]["conversations"] == [str(COFFEE)]


async def test_who_comes_without_a_token_is_told_of_no_removal() -> None:
    client = Client(Parts())
    client.standings = [standing_of(in_group(ANA), 2, active=False)]
    assert kinds(await client.come()) == ["ok", "mark"]


async def test_no_more_removals_are_told_than_a_replay_has_changes() -> None:
    client = Client(Parts())
    groups = [UUID(int=number) for number in range(REPLAY.most + 150)]
    client.standings = [standing_of(in_group(ANA, group), 2, active=False) for group in groups]

    assert ended_by(await client.come("useless")) == {str(group): 2 for group in groups[150:]}


async def test_the_removals_of_many_conversations_wait_for_a_peer_that_takes_nothing() -> None:
    parts = Parts()
    client = Client(parts)
    groups = [UUID(int=number) for number in range(900)]
    client.standings = [standing_of(in_group(ANA, group), 2, active=False) for group in groups]
    await client.sign_in()
    client.peer.stalls_after = 2
    coming = asyncio.ensure_future(client.catch_up("useless"))
    await until(lambda: client.peer.paused)
    told = ended_by(client.read())
    assert 0 < len(told) < 900
    say(parts, added(ANA, 3, conversation=groups[0]))
    client.peer.stalls_after, client.peer.paused = None, False
    await coming
    frames = client.read()

    told |= ended_by([frame for frame in frames if frame["t"] == "state"])
    assert told == {str(group): 2 for group in groups[1:]}  # and not of the one that they are in again
    assert kinds(frames)[-1] == "mark"
