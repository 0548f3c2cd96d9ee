"""Persisters that are killed, stopped through a rebalance, and come and go: each message is archived exactly once."""

import asyncio
import signal

import psutil

from tests.e2e.histories import archived
from tests.e2e.talk import Open, OpenRest, Talk, more_acknowledged, start_talk, talking
from tests.support.process import PersisterProcess, wait_until
from tests.support.system import System

_READS_ONLY = "SHARE"
"""The mode of a lock under which everybody may read a table and nobody write it."""


async def test_killed_between_its_compare_and_set_and_its_insert_it_stores_each_message_once(
    system: System, persister: PersisterProcess, talk: Talk
) -> None:
    with system.locked("messaging_message", _READS_ONLY):
        await talk.say("in flight")
        backend = await asyncio.to_thread(system.wait_blocked, "INSERT INTO messaging_message")
        assert system.has_written(backend, "messaging_logoffset")
        persister.kill()
    assert "in flight" not in [row.content for row in archived(system, talk.conversation)]
    await talk.say("while it is away")
    await asyncio.to_thread(persister.start)
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "in flight", "while it is away", "the last one"]


async def test_killed_between_its_insert_and_its_commit_it_stores_each_message_once(
    system: System, persister: PersisterProcess, talk: Talk
) -> None:
    await asyncio.to_thread(system.wait_archived)
    with system.locked("messaging_conversationstate", _READS_ONLY):
        await talk.say("in flight")
        backend = await asyncio.to_thread(system.wait_blocked, "UPDATE messaging_conversationstate")
        assert system.has_written(backend, "messaging_message")
        persister.kill()
    assert "in flight" not in [row.content for row in archived(system, talk.conversation)]
    await talk.say("while it is away")
    await asyncio.to_thread(persister.start)
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "in flight", "while it is away", "the last one"]


async def test_a_hangup_ends_it_like_sigterm(persister: PersisterProcess) -> None:
    await asyncio.to_thread(persister.stop, signal.SIGHUP)
    assert persister.events("stopping")


async def test_killed_after_its_commit_it_stores_each_message_once_whatever_kafka_knows_of_it(
    system: System, persister: PersisterProcess, talk: Talk
) -> None:
    await talk.say("committed")
    await asyncio.to_thread(system.wait_archived)
    persister.kill()
    # As if it had been killed before Kafka heard of anything that it ever committed.
    await asyncio.to_thread(system.log.commit_for_group, system.group, dict.fromkeys(range(12), 0))
    assert max(system.archived_ends().values()) > 0
    await asyncio.to_thread(persister.start)
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "committed", "the last one"]


async def test_a_copy_that_comes_after_its_message_was_archived_changes_nothing_and_holds_up_nothing(
    system: System, persister: PersisterProcess, talk: Talk
) -> None:
    first = await talk.say("once")
    await asyncio.to_thread(system.wait_archived)
    size = system.log.size()
    again = await talk.writer.send("once", conversation=talk.conversation, client_id=first.client_id)
    assert again.ok == {"id": first.message_id, "position": first.position, "duplicate": True}
    assert system.log.size() == size + 1
    await asyncio.to_thread(system.wait_archived)
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "once", "the last one"]


async def test_a_zombie_is_fenced_and_rejoins(
    system: System, persister: PersisterProcess, talk: Talk, connect: Open, rest: OpenRest
) -> None:
    await asyncio.to_thread(system.wait_archived)
    successor = system.new_persister("successor")
    with system.locked("messaging_conversationstate", "ACCESS EXCLUSIVE"):
        # A new conversation, whose state the persister has to read: it waits with the records in its hands.
        other = await start_talk(system, (system.gateway_a, system.gateway_b), connect, rest)
        await asyncio.to_thread(system.wait_blocked, "")
        zombie = psutil.Process(persister.pid)
        zombie.suspend()
    await asyncio.to_thread(successor.start)
    await asyncio.to_thread(system.wait_archived)
    assert not persister.events("fenced")
    zombie.resume()
    await asyncio.to_thread(wait_until, lambda: persister.events("fenced"), "the zombie is fenced")
    await asyncio.to_thread(wait_until, persister.is_ready, "the zombie has rejoined")
    await asyncio.to_thread(successor.stop)
    rows = await other.check()
    assert [row.content for row in rows] == ["first", "the last one"]
    await talk.check()


async def test_one_that_is_stopped_in_a_transaction_holds_up_its_successor_for_seconds_only(
    system: System, persister: PersisterProcess, talk: Talk
) -> None:
    successor = system.new_persister("successor")
    fenced = len(persister.events("fenced"))
    with system.locked("messaging_message", _READS_ONLY):
        await talk.say("in flight")
        await asyncio.to_thread(system.wait_blocked, "INSERT INTO messaging_message")
        zombie = psutil.Process(persister.pid)
        zombie.suspend()
    await asyncio.to_thread(successor.start)
    await asyncio.to_thread(system.wait_archived)
    assert len(persister.events("fenced")) == fenced
    zombie.resume()
    await asyncio.to_thread(wait_until, lambda: len(persister.events("fenced")) > fenced, "the zombie is fenced")
    await asyncio.to_thread(wait_until, persister.is_ready, "the zombie has rejoined")
    await asyncio.to_thread(successor.stop)
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "in flight", "the last one"]


async def test_while_persisters_come_and_go_each_message_is_stored_once(
    system: System, persister: PersisterProcess, connect: Open, rest: OpenRest
) -> None:
    talks = [await start_talk(system, (system.gateway_a, system.gateway_b), connect, rest) for _ in range(4)]
    second, third = system.new_persister("second"), system.new_persister("third")
    async with talking(talks):
        await asyncio.to_thread(second.start)
        await asyncio.to_thread(_wait_shared, persister, second)
        await more_acknowledged(talks, 20)
        await asyncio.to_thread(persister.stop)
        await asyncio.to_thread(wait_until, lambda: len(second.partitions()) == 12, "the second has all")
        await more_acknowledged(talks, 20)
        await asyncio.to_thread(third.start)
        await asyncio.to_thread(_wait_shared, second, third)
        await more_acknowledged(talks, 20)
    for talk in talks:
        await talk.check()


def _wait_shared(one: PersisterProcess, other: PersisterProcess) -> None:
    """Waits until each of two has its half."""
    wait_until(
        lambda: len(one.partitions()) == len(other.partitions()) == 6,
        "both have their half",
        deadline_s=20,
    )
