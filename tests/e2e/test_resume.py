"""Resume on real gateways: whoever was away gets exactly what they missed, or is told what to load anew (D7)."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import msgspec
from websockets.exceptions import WebSocketException

from klatsch.records.header import WHOLE_MESSAGE, make_header
from klatsch.records.messages import MessageChanged
from tests.e2e.client import Client
from tests.e2e.talk import Open, Talk
from tests.support.process import GatewayProcess, PersisterProcess, wait_until
from tests.support.system import Person, System

_SMALL_RING = "65536"
_LARGE = "x" * 3_000


def _edit(system: System, message: dict[str, Any], content: str) -> str:
    """Appends the change that makes a message read so; its position."""
    fields = {name: message[name] for name in MessageChanged.__struct_fields__ if name in message}
    event = MessageChanged(**fields | {"content": content, "edited_at": message["sent_at"]})
    _, partition, _ = message["position"].split(":")
    judge = make_header(WHOLE_MESSAGE, UUID(event.id).bytes, UUID(event.sender_id).bytes)
    key = event.conversation.encode()
    _, offset = system.log.append(int(partition), key=key, value=msgspec.json.encode(event), judge=judge)
    return f"1:{partition}:{offset}"


async def _fill(writer: Client, there: Client, to: str) -> None:
    """Says so much, elsewhere, that a small ring no longer holds what was before.

    A ring forgets between batches. `there` listens at its gateway, so that each message is a batch of its own.
    """
    for number in range(40):
        content = f"{number} {_LARGE}"
        assert (await writer.send(content, to=to)).ok
        await there.received(content)


async def test_what_was_missed_comes_from_another_gateways_memory_as_the_pushes_were(
    system: System, talk: Talk, gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open
) -> None:
    away = talk.reader
    await away.close()
    for number in range(3):
        await talk.say(f"missed {number}")
    await asyncio.to_thread(system.wait_archived)
    message = (await talk.api.history(f"conversations/{talk.conversation}/messages"))[-1]
    place = _edit(system, message | {"receiver_id": None}, "missed 2, edited")
    back = await connect(gateway_a, talk.people[1], resume=away.token)
    await back.until(lambda: back.history.pushes("message_changed"), "the edit")

    assert back.history.frames[0]["ok"]["resumed"] is True
    assert [d["content"] for d in back.history.messages][-3:] == ["missed 0", "missed 1", "missed 2"]
    assert back.history.pushes("message_changed")[-1]["pos"] == place
    assert back.history.pushes("state") == back.history.pushes("reset") == []


async def test_what_memory_no_longer_holds_comes_as_state_from_the_archive(
    system: System, talk: Talk, persister: PersisterProcess, connect: Open, gateway_b: GatewayProcess
) -> None:
    others = system.take_people(2)
    small = system.new_gateway("small-ring")
    await asyncio.to_thread(small.start, KLATSCH_RING_BYTES=_SMALL_RING)
    away = await connect(small, talk.people[1])
    await away.close()
    for number in range(3):
        await talk.say(f"missed {number}")
    first = talk.reader.history.messages[0]
    _edit(system, first, "first, edited")
    busy = await connect(gateway_b, others[0])
    await _fill(busy, await connect(small, others[1]), others[1].username)
    await asyncio.to_thread(system.wait_archived)
    await talk.say("after all that")
    back = await connect(small, talk.people[1], resume=away.token)
    await back.received("after all that")

    states = [frame["d"] for frame in back.history.pushes("state") if frame["d"]["kind"] == "message"]
    assert sorted(d["content"] for d in states) == ["first, edited", "missed 0", "missed 1", "missed 2"]
    assert back.history.contents == ["after all that"]
    assert back.history.frames[0]["ok"]["resumed"] is True
    assert back.history.pushes("reset") == []


async def test_where_the_archive_lags_behind_memory_a_reset_says_what_to_load_and_loading_it_is_whole(
    system: System, talk: Talk, persister: PersisterProcess, connect: Open
) -> None:
    small = system.new_gateway("small-ring")
    await asyncio.to_thread(small.start, KLATSCH_RING_BYTES=_SMALL_RING)
    away = await connect(small, talk.people[1])
    await away.close()
    await asyncio.to_thread(persister.stop)
    await _fill(talk.writer, await connect(small, talk.people[0]), talk.people[1].username)
    back = await connect(small, talk.people[1], resume=away.token)
    [reset] = back.history.pushes("reset")
    assert reset["d"]["conversations"] == [talk.conversation]
    assert reset["d"]["why"] == "archive_behind"
    assert back.history.contents == []

    await asyncio.to_thread(persister.start)
    await asyncio.to_thread(system.wait_archived)
    page = await talk.api.get(f"conversations/{talk.conversation}/messages", limit=100, at_least=reset["d"]["at_least"])
    assert len(page["results"]) == 41


async def test_who_is_added_or_removed_while_away_finds_it_out_also_beyond_memory(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open, rest: Any, talk: Talk
) -> None:
    owner, guest = talk.people
    small = system.new_gateway("small-ring")
    await asyncio.to_thread(small.start, KLATSCH_RING_BYTES=_SMALL_RING)
    api = rest(gateway_a, owner)
    left = await api.post("conversations", {"title": "left", "members": [guest.username]})
    away = await connect(small, guest)
    await away.close()
    new = await api.post("conversations", {"title": "new", "members": [guest.username]})
    answer = await api.http.delete(f"conversations/{left['id']}/members/{guest.username}")
    assert answer.is_success, answer.text
    await talk.writer.send("in the new one", conversation=new["id"])
    await talk.writer.send("in the one that they left", conversation=left["id"])
    await _fill(talk.writer, await connect(small, talk.people[0]), talk.people[1].username)
    await asyncio.to_thread(system.wait_archived)
    back = await connect(small, guest, resume=away.token)

    states = [frame["d"] for frame in back.history.pushes("state")]
    standings = {
        (state["conversation"], member["user"]): member["active"]
        for state in states
        if state["kind"] == "members"
        for member in state["members"]
    }
    assert standings[new["id"], guest.username] is True
    assert standings[left["id"], guest.username] is False
    assert (left["id"], owner.username) not in standings
    said = {state["content"] for state in states if state["kind"] == "message"} | set(back.history.contents)
    assert "in the new one" in said
    assert "in the one that they left" not in said


class Wanderer:
    """Stays connected to whichever gateway there is, by resuming; keeps all connections' histories."""

    def __init__(self, gateways: list[GatewayProcess], person: Person) -> None:
        self.gateways = gateways
        self.person = person
        self.past: list[Client] = []

    async def run(self) -> None:
        """Connects, takes what comes, and resumes when that ends, until it is cancelled."""
        token: str | None = None
        number = 0
        while True:
            number += 1
            try:
                client = await Client.open(self.gateways[number % len(self.gateways)], self.person, resume=token)
            except (OSError, AssertionError, EOFError, WebSocketException):  # it is restarting: come again
                await asyncio.sleep(0.05)
                continue
            self.past.append(client)
            with contextlib.suppress(AssertionError):
                await client.until_closed(600)
            token = client.token or token
            await client.close()

    @property
    def codes(self) -> list[int | None]:
        return [client.closed for client in self.past]


@contextlib.asynccontextmanager
async def _wandering(*wanderers: Wanderer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(wanderer.run()) for wanderer in wanderers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wanderer in wanderers:
            if wanderer.past:
                await wanderer.past[-1].close()


async def test_a_rolling_restart_of_two_gateways_under_load_loses_and_repeats_nothing(
    system: System, persister: PersisterProcess, connect: Open, gateway_a: GatewayProcess
) -> None:
    ana, bob = system.take_people(2)
    rolling = [system.new_gateway("rolling-1"), system.new_gateway("rolling-2")]
    for gateway in rolling:
        await asyncio.to_thread(gateway.start)
    writer = await connect(gateway_a, ana)
    reader, own = Wanderer(rolling, bob), Wanderer(rolling, ana)
    acknowledged: list[str] = []

    async def write() -> None:
        while True:
            attempt = await writer.send(f"text {len(acknowledged)}", to=bob.username)
            assert attempt.ok, attempt
            acknowledged.append(attempt.content)

    async with _wandering(reader, own):
        await _until(lambda: reader.past and own.past)
        writing = asyncio.create_task(write())
        for gateway in rolling:
            await _more(acknowledged, 50)
            await asyncio.to_thread(gateway.stop)
            await asyncio.to_thread(gateway.start)
        await _more(acknowledged, 50)
        writing.cancel()
        [ended] = await asyncio.gather(writing, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended
        for wanderer in (reader, own):
            await _until(functools.partial(_has_all, wanderer, acknowledged))

    for wanderer in (reader, own):
        shown = [content for client in wanderer.past for content in client.history.contents]
        assert shown[: len(acknowledged)] == acknowledged, "each once, in order, over all connections"
        assert 4301 in wanderer.codes
        assert [c for c in wanderer.codes if c is not None and c != 4301] == []
        assert [frame for client in wanderer.past for frame in client.history.pushes("reset")] == []


def _has_all(wanderer: Wanderer, acknowledged: list[str]) -> bool:
    return set(acknowledged) <= {content for client in wanderer.past for content in client.history.contents}


async def _more(acknowledged: list[str], count: int) -> None:
    target = len(acknowledged) + count
    await _until(lambda: len(acknowledged) >= target)


async def _until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, condition, "the condition", 20)
