"""Memory of a real gateway while many read a long replay at once, from its memory and from the archive."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from uuid import UUID

import psutil
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket

from klatsch.accounts.queries import Person
from klatsch.conversations.access import Access
from klatsch.core.ids import uuid7
from tests.e2e.talk import Talk
from tests.e2e.test_sync import Http, MakeHttp
from tests.e2e.test_sync import http as http  # noqa: PLC0414 - the fixture
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.records import message
from tests.support.system import System

_MIB = 2**20
_MESSAGES = 900
_TEXT = "€" * 4_000
"""The text of each of the `_MESSAGES`: a replay of all of them has 10.3 MiB."""
_POLLS = 30
_READERS = 10
_GROWTH_MOST_MIB = 50
"""Half of what the process takes without them."""


class Watched:
    """The memory of a process, looked at while a test goes on."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self._mib()
        self.most = self.before

    def _mib(self) -> float:
        return float(self._process.memory_info().rss) / _MIB

    @property
    def grown_mib(self) -> float:
        return self.most - self.before

    async def look(self) -> None:
        while True:
            self.most = max(self.most, self._mib())
            await asyncio.sleep(0.02)


@pytest.fixture(params=["memory", "archive"])
async def filled(
    request: pytest.FixtureRequest, system: System, talk: Talk, persister: PersisterProcess
) -> GatewayProcess:
    """Starts a gateway that has just read much of a conversation, and holds it, or no longer does."""
    first = talk.reader.history.messages[0]
    await talk.reader.close()
    await talk.writer.close()  # all that comes would be pushed to these, too
    access = Access.of(
        conversation=UUID(talk.conversation),
        kind="direct",
        sender=Person(UUID(first["sender_id"]), first["sender"]),
        receiver=Person(UUID(first["receiver_id"]), first["receiver"]),
    )
    gateway = system.new_gateway("filled")
    ring = {"KLATSCH_RING_BYTES": "65536"} if request.param == "archive" else {}
    await asyncio.to_thread(gateway.start, KLATSCH_STALL_SECONDS="60", **ring)
    texts = [*(f"{number} {_TEXT}"[:4_000] for number in range(_MESSAGES)), "the last one"]
    entries = (message(access, text, client_id=uuid7(int(time.time() * 1_000))) for text in texts)
    partition = int(str(first["position"]).split(":")[1])
    await asyncio.to_thread(system.log.append_all, partition, entries)
    await asyncio.to_thread(system.wait_archived)
    return gateway


async def _poll_all(client: Http, token: str) -> list[str]:
    """Returns what polls bring, one after the other, up to the last message."""
    texts: list[str] = []
    while texts[-1:] != ["the"]:
        answer = await client.poll(token)
        texts += [push["d"]["content"].split()[0] for push in answer["pushes"] if "content" in push["d"]]
        token = answer["resume"]
    return texts


async def test_many_polls_of_a_long_replay_cost_little_and_bring_all_of_it(
    talk: Talk, filled: GatewayProcess, http: MakeHttp
) -> None:
    client = http(filled, talk.people[1])
    whole = await _poll_all(client, talk.token)
    watched = Watched(filled.pid)
    looking = asyncio.create_task(watched.look())
    answers = await asyncio.gather(*(client.poll(talk.token, wait=0) for _ in range(_POLLS)))
    looking.cancel()

    assert whole == ["first", *map(str, range(_MESSAGES)), "the"]
    longest = max((answer["pushes"] for answer in answers), key=len)
    assert all(answer["pushes"] == longest[: len(answer["pushes"])] != [] for answer in answers)
    assert watched.grown_mib < _GROWTH_MOST_MIB


async def test_readers_that_are_slow_to_take_a_long_replay_cost_little_and_get_all_of_it(
    talk: Talk, filled: GatewayProcess
) -> None:
    person = talk.people[1]
    watched = Watched(filled.pid)
    looking = asyncio.create_task(watched.look())
    url = filled.url.replace("http", "ws") + "/ws"
    headers = {"Authorization": f"Bearer {person.token}"}
    async with AsyncExitStack() as stack:
        sockets: list[ClientConnection] = []
        for _ in range(_READERS):
            opening = open_socket(url, additional_headers=headers, subprotocols=["klatsch.v1"], max_queue=1, proxy=None)  # type: ignore[list-item]  # a new type of str
            socket = await opening
            stack.callback(socket.transport.abort)  # a close would wait for what nobody reads any more
            await socket.send(json.dumps({"id": 1, "op": "hello", "d": {"resume": talk.token}}))
            assert json.loads(await socket.recv())["ok"]["resumed"] is True
            sockets.append(socket)
        found = await asyncio.gather(*map(_read_to_the_last, sockets))  # in turn, the last would seem to have stalled
    looking.cancel()

    assert found == [["first", *map(str, range(_MESSAGES)), "the"]] * _READERS
    assert watched.grown_mib < _GROWTH_MOST_MIB


async def _read_to_the_last(socket: ClientConnection) -> list[str]:
    texts: list[str] = []
    async for text in socket:
        frame = json.loads(text)
        if "content" in frame.get("d", {}):
            texts.append(frame["d"]["content"].split()[0])
            if texts[-1] == "the":
                break
    return texts
