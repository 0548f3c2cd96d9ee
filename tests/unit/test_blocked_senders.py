"""A gateway whose person blocks or is blocked: the cached right to write goes with the record, pushes continue."""

import json

import msgspec
import pytest

from klatsch.conversations.access import check_blocks
from klatsch.core.errors import Blocked, Forbidden
from klatsch.gateway.hub import ConnectedPerson
from tests.support.gateway_parts import Parts, signed_in, standing_of
from tests.support.records import ANA, BOB, Somebody, blocked, direct, fresh_client_id, message, records_of
from tests.support.waiting import until
from tests.unit.socket_peer import SocketPeer, connected

PLACES = ({"to": "bob"}, {"conversation": direct(ANA, BOB).conversation})


async def say_hello(parts: Parts, peer: SocketPeer, version: int = 1) -> ConnectedPerson:
    """Connects Ana, who may write to bob."""
    parts.database.answers = [signed_in(ANA), [standing_of(direct(ANA, BOB), version, peer=(BOB.id, "bob"))]]
    peer.say({"id": 1, "op": "hello", "d": {}})
    await peer.reads(2)
    return parts.hub.people[ANA.user_id]


def send(peer: SocketPeer, where: dict[str, str]) -> None:
    body = {"client_id": fresh_client_id(), "content": "hi"} | where
    peer.say(json.dumps({"id": 2, "op": "send", "d": body}))


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("who", [ANA, BOB])
async def test_after_a_block_both_are_asked_about_again_and_nothing_is_appended(
    where: dict[str, str], who: Somebody
) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        person = await say_hello(parts, peer)
        parts.apply(records_of(blocked(who, 2)))
        [push] = await peer.reads(1)
        assert [member["blocked"] for member in push["d"]["members"]] == [who is ANA, who is BOB]
        parts.database.answers = [Blocked("asked")]
        send(peer, where)
        [answer] = await peer.reads(1)
        assert (answer["err"]["code"], answer["err"]["temporary"]) == ("blocked", False)
        assert (person.writable, person.direct) == ({}, {})
        assert parts.log.records[0] == []


@pytest.mark.parametrize("where", PLACES)
async def test_after_the_block_is_lifted_the_gateway_asks_nobody_again(where: dict[str, str]) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await say_hello(parts, peer)
        parts.apply(records_of(blocked(ANA, 2), blocked(None, 3)))
        await peer.reads(2)
        asked = parts.database.asked
        send(peer, where)
        await until(lambda: parts.log.records[0])
        assert parts.database.asked == asked


async def test_a_right_that_was_read_before_a_block_is_not_kept_after_it() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        person = await say_hello(parts, peer)
        parts.apply(records_of(blocked(ANA, 2)))
        parts.hub.admit(person, direct(ANA, BOB), 1)
        assert (person.writable, person.direct) == ({}, {})


async def test_who_comes_while_blocked_has_no_cached_right_and_hears_of_the_end_of_it() -> None:
    parts = Parts()
    standing = standing_of(direct(ANA, BOB), 2, peer=(BOB.id, "bob"), blocked=True)
    parts.database.answers = [signed_in(ANA), [standing]]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello", "d": {}})
        await peer.reads(2)
        person = parts.hub.people[ANA.user_id]
        assert (person.writable, person.direct) == ({}, {})
        parts.apply(records_of(blocked(None, 3)))
        assert (len(person.writable), set(person.direct)) == (1, {"bob"})


@pytest.mark.parametrize("where", PLACES)
async def test_a_send_that_comes_into_the_log_after_the_block_is_void_and_answered_blocked(
    where: dict[str, str],
) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await say_hello(parts, peer)
        send(peer, where)
        await until(lambda: parts.log.records[0])
        [late] = parts.log.records[0]
        [block] = records_of(blocked(ANA, 2))
        parts.apply([block, msgspec.structs.replace(late, offset=1)])
        _, answer = await peer.reads(2)
        assert answer["err"]["code"] == "blocked"


async def test_what_came_before_the_block_stands_and_what_the_blocker_wrote_too() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await say_hello(parts, peer)
        entries = [message(direct(BOB, ANA), "1"), blocked(BOB, 2), message(direct(BOB, ANA), "2")]
        parts.apply(records_of(*entries, message(direct(ANA, BOB), "3")))
        frames = await peer.reads(3)
        assert [frame["d"].get("content") for frame in frames] == ["1", None, "3"]


def test_who_is_blocked_is_told_so_first() -> None:
    check_blocks(blocked=False, blocking=False)
    with pytest.raises(Forbidden):
        check_blocks(blocked=False, blocking=True)
    for blocking in (False, True):
        with pytest.raises(Blocked):
            check_blocks(blocked=True, blocking=blocking)
