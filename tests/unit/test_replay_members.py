"""Resume of a client that was added or removed while it was away, or during the replay: it gets what it may see."""

import asyncio

from tests.support.gateway_parts import Parts, standing_of
from tests.support.records import ANA, BOB, added, in_group, message, removed
from tests.support.waiting import until
from tests.unit.replay_client import Client, contents, kinds, say


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
