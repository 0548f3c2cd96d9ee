"""Waiting for a hash or for the archive holds up nobody else: on a real gateway, while many wait at once."""

import asyncio

import httpx

from klatsch.gateway.lookups import AT_ONCE_MOST
from tests.e2e.conftest import OpenNewcomer
from tests.e2e.talk import Open, Talk
from tests.support.process import GatewayProcess, PersisterProcess, stopped
from tests.support.system import Person, System

_SIGN_INS = 64
_SOCKETS = 48
"""Six for each of the threads that answer sign-in and hello."""
_DEADLINE_S = 30


async def test_while_very_many_sign_in_everybody_else_is_answered_and_those_beyond_the_room_are_told_at_once(
    system: System, newcomer: OpenNewcomer
) -> None:
    gateway = system.new_gateway("signing-in")
    await asyncio.to_thread(gateway.start, KLATSCH_SIGN_IN_FAILURES_ADDRESS="1000000")
    dora = await newcomer(gateway)
    limits = httpx.Limits(max_connections=2 * _SIGN_INS)
    async with httpx.AsyncClient(
        base_url=f"{gateway.url}/api/v1/", trust_env=False, timeout=_DEADLINE_S, limits=limits
    ) as http:

        async def sign_in(number: int) -> httpx.Response:
            return await http.post("auth/login", json={"username": f"nobody{number}", "password": "guessed"})

        sign_ins = [asyncio.create_task(sign_in(number)) for number in range(_SIGN_INS)]
        await asyncio.wait(sign_ins, return_when=asyncio.FIRST_COMPLETED)
        me = await http.get("me", headers={"Authorization": f"Bearer {dora.token}"})
        hashed = [task for task in sign_ins if task.done() and task.result().status_code != 503]
        answers = await asyncio.gather(*sign_ins)
    assert me.status_code == 200
    assert len(hashed) < _SIGN_INS / 4
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) > _SIGN_INS / 2
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert {answer.status_code for answer in answers} == {401, 503}


async def test_while_many_old_client_ids_of_a_person_wait_for_the_archive_others_connect(
    gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk, connect: Open, bob: Person
) -> None:
    [ana, _] = talk.people
    sockets = await asyncio.gather(*(connect(gateway_a, ana) for _ in range(_SOCKETS)))
    with stopped(persister.pid):
        assert (await talk.say("not archived yet")).ok
        sends = [
            asyncio.create_task(
                socket.send("old", conversation=talk.conversation, client_id=f"last-week-{number}"),
            )
            for number, socket in enumerate(sockets)
        ]
        await asyncio.wait(sends, return_when=asyncio.FIRST_COMPLETED)
        newcomer = await connect(gateway_a, bob)
        codes = [attempt.code for attempt in await asyncio.gather(*sends)]
    assert newcomer.closed is None
    assert sorted(set(codes), key=str) == ["not_archived_yet", "unavailable"]
    assert codes.count("not_archived_yet") <= 2 * AT_ONCE_MOST
