"""Markers through real gateways: answered at once, told to others and to one's own devices, counted as unread (D19)."""

import asyncio
from typing import Any

from tests.e2e.client import Client
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import System

_SMALL_RING = "65536"
_LARGE = "x" * 3_000


async def mark(client: Client, talk: Talk, **positions: str) -> dict[str, Any]:
    return await client.request("mark", {"conversation": talk.conversation, **positions})


async def marked(client: Client, read: str) -> dict[str, Any]:
    """Returns the push of a marker that has come to that position."""

    def found() -> list[dict[str, Any]]:
        return [push for push in client.history.pushes("marker") if push["d"]["read"] == read]

    await client.until(found, f"the marker at {read}")
    return found()[0]


async def unread(api: Any, talk: Talk) -> Any:
    return (await api.get(f"conversations/{talk.conversation}"))["unread"]


async def test_a_mark_is_answered_at_once_told_to_others_and_counted(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
    rest: OpenRest,
) -> None:
    laptop = await connect(gateway_b, talk.people[1])
    said = [await talk.say(content) for content in ("one", "two", "three")]
    await talk.reader.received("three")
    answer = await mark(talk.reader, talk, read=said[1].position)
    assert answer["ok"] == {"delivered": said[1].position, "read": said[1].position}
    lower = await mark(talk.reader, talk, read=said[0].position)
    assert lower["ok"] == answer["ok"]
    for client in (talk.writer, laptop):
        push = await marked(client, said[1].position)
        assert push["d"]["user"] == talk.people[1].username
    await asyncio.to_thread(system.wait_archived)
    reader = rest(gateway_a, talk.people[1])
    assert await unread(reader, talk) == 1
    writer = rest(gateway_a, talk.people[0])
    [row] = (await writer.get(f"conversations/{talk.conversation}/markers"))["results"]
    assert (row["user"], row["read"]) == (talk.people[1].username, said[1].position)


async def test_many_marks_are_a_few_records_and_the_last_one_comes_within_seconds(talk: Talk) -> None:
    said = [await talk.say(str(number)) for number in range(20)]
    await talk.reader.received("19")
    for message in said:
        answer = await mark(talk.reader, talk, read=message.position)
        assert answer["ok"]["read"] == message.position
    await marked(talk.writer, said[-1].position)
    assert len(talk.writer.history.pushes("marker")) < len(said) / 2


async def test_what_is_no_position_of_the_conversation_is_refused(talk: Talk) -> None:
    said = await talk.say("one")
    await talk.reader.received("one")
    epoch, partition, offset = said.position.split(":")
    for wrong in (f"{epoch}:{(int(partition) + 1) % 12}:{offset}", f"{int(epoch) + 1}:{partition}:{offset}", "x"):
        assert (await mark(talk.reader, talk, read=wrong))["err"]["code"] == "bad_request"
    beyond = await mark(talk.reader, talk, read=f"{epoch}:{partition}:{int(offset) + 10_000}")
    assert beyond["ok"]["read"] == said.position


async def test_a_gateway_that_stops_loses_no_mark(
    system: System, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    leaving = system.new_gateway("leaving")
    await asyncio.to_thread(leaving.start)
    client = await connect(leaving, talk.people[1])
    first, last = [await talk.say(content) for content in ("one", "two")]
    await client.received("two")
    await mark(client, talk, read=first.position)
    await mark(client, talk, read=last.position)
    await asyncio.to_thread(leaving.stop)
    await marked(talk.writer, last.position)


async def test_who_was_away_is_told_markers_from_memory_and_from_the_archive(
    system: System, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    small, others = system.new_gateway("small-ring"), system.take_people(2)
    await asyncio.to_thread(small.start, KLATSCH_RING_BYTES=_SMALL_RING)
    said = await talk.say("one")
    away = await connect(small, talk.people[0])
    await away.close()
    await talk.reader.received("one")
    await mark(talk.reader, talk, read=said.position)
    await marked(talk.writer, said.position)
    soon = await connect(small, talk.people[0], resume=away.token)
    assert (await marked(soon, said.position))["pos"]
    await soon.close()
    busy = await connect(small, others[0])
    for number in range(40):  # so much that a small ring no longer holds what was before
        assert (await busy.send(f"{number} {_LARGE}", to=others[1].username)).ok
    await asyncio.to_thread(system.wait_archived)
    back = await connect(small, talk.people[0], resume=away.token)
    states = [frame["d"] for frame in back.history.pushes("state") if frame["d"]["kind"] == "marker"]
    assert [(d["user"], d["read"]) for d in states] == [(talk.people[1].username, said.position)]
