"""The topic changed behind our back: partitions are added to it under load, and it is deleted and made again."""

import asyncio
import functools
from collections.abc import Iterator

import httpx
import pytest

from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from klatsch.eventlog.places import Position
from tests.e2e.talk import Open, OpenRest, Talk, more_acknowledged, start_talk, talking
from tests.support.process import HOST, GatewayProcess, Process, wait_until
from tests.support.system import System

_AGAIN_S = 0.05
_LEARNT_S = 20
"""A look a second tells, and a gateway closes its sockets in an orderly way; doubled for a busy machine."""


class ApiProcess(GatewayProcess):
    """`manage.py api`, which is asked as a gateway is."""

    def __init__(self, system: System) -> None:
        super().__init__("api", system.env, system.folder)
        self._arguments = ["api", "--host", HOST, "--port", str(self.port)]


@pytest.fixture(scope="module")
def own_system(
    tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres | None, kafka: EmbeddedKafka | None
) -> Iterator[System]:
    """Starts a system whose topic may be spoilt."""
    system = System(tmp_path_factory.mktemp("topic"), postgres, kafka, "topic")
    system.prepare()
    yield system
    system.close()


@pytest.fixture
def api(own_system: System) -> Iterator[ApiProcess]:
    api = ApiProcess(own_system)
    yield api
    if api.is_running():  # not killed: its worker would outlive it
        api.stop()


def _partitions(talk: Talk) -> set[int]:
    return {Position.parse(attempt.position).partition for attempt in talk.writer.history.attempts if attempt.ok}


def _has_ended(process: Process) -> bool:
    return not process.is_running()


async def test_partitions_that_are_added_under_load_stay_unused_and_everybody_goes_on(
    own_system: System, connect: Open, rest: OpenRest
) -> None:
    system = own_system
    gateways = (system.gateway_a, system.gateway_b)
    for process in (*gateways, system.persister):
        await asyncio.to_thread(process.start)
    talks = [await start_talk(system, gateways, connect, rest) for _ in range(3)]
    async with talking(talks):
        await more_acknowledged(talks, 5)
        known = len(system.log.ends())
        found = await asyncio.to_thread(system.log.add_partitions, 2)
        system.log.append(found - 1, key=talks[0].conversation.encode(), value=b"of another producer")
        await asyncio.to_thread(system.new_persister("another").start)
        another = system.new_gateway("another-gateway")
        await asyncio.to_thread(another.start)
        await more_acknowledged(talks, 20)
    for talk in talks:
        assert len(_partitions(talk)) == 1
        await talk.check()

    ends = system.log.ends()
    assert [ends[partition] for partition in range(known, found)] == [0, 1]
    assert system.rows("SELECT count(*) FROM messaging_deadletter") == [(0,)]
    for process in (*gateways, system.persister, another):
        await asyncio.to_thread(wait_until, lambda p=process: p.events("records_ignored"), f"{process.name} warns")  # type: ignore[misc]  # bound
        assert [event["found"] for event in process.events("partitions_added")] == [found]
    assert "2 partitions were added" in await asyncio.to_thread(system.manage, "topics", "verify")


async def test_once_the_topic_was_made_again_nothing_is_acknowledged_until_it_is_adopted_and_no_retry_is_said_twice(
    own_system: System, api: ApiProcess, connect: Open, rest: OpenRest
) -> None:
    system = own_system
    gateways = (system.gateway_a, system.gateway_b)
    for process in (*gateways, system.persister, api):
        if not process.is_running():
            await asyncio.to_thread(process.start)
    talk = await start_talk(system, gateways, connect, rest)
    http = rest(api, talk.people[0]).http
    place = f"conversations/{talk.conversation}/messages"
    before = await talk.writer.send("before", conversation=talk.conversation)
    assert before.ok
    await asyncio.to_thread(system.wait_archived)
    await asyncio.to_thread(system.log.delete)
    await asyncio.to_thread(system.log.make_anew, 12)
    for process in (*gateways, system.persister):
        await asyncio.to_thread(wait_until, functools.partial(_has_ended, process), f"{process.name} ends", _LEARNT_S)
    await _send_until(httpx.codes.SERVICE_UNAVAILABLE, http, place)
    assert (await http.get("me")).status_code == httpx.codes.OK
    with pytest.raises(AssertionError, match="is not the known one"):
        await asyncio.to_thread(system.manage, "topics", "verify")

    assert "12 partitions" in await asyncio.to_thread(system.manage, "topics", "adopt", "--dry-run")
    assert "Epoch 2 is open." in await asyncio.to_thread(system.manage, "topics", "adopt")
    await asyncio.to_thread(system.persister.start)
    created = await _send_until(httpx.codes.CREATED, http, place)
    assert Position.parse(created.json()["position"]).epoch == 2

    await asyncio.to_thread(system.gateway_a.start)
    writer = await connect(system.gateway_a, talk.people[0])
    ends = system.log.ends()
    again = await writer.send("before", conversation=talk.conversation, client_id=before.client_id)
    assert again.ok == before.ok | {"duplicate": True}
    retried = await http.post(place, json={"content": "before", "client_id": before.client_id})
    assert (retried.json()["id"], retried.json()["position"]) == (before.message_id, before.position)
    assert system.log.ends() == ends


async def _send_until(status: int, http: httpx.AsyncClient, place: str) -> httpx.Response:
    """Sends until it is answered so."""
    async with asyncio.timeout(_LEARNT_S):
        while (answer := await http.post(place, json={"content": "again"})).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(_AGAIN_S)  # nothing else tells
    return answer
