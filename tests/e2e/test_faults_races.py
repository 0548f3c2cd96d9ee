"""Events at once, or a moment apart: first messages, new conversations, and one name for two bodies."""

import asyncio
import time
from uuid import UUID

from klatsch.core.ids import direct_conversation_id, uuid7
from tests.e2e.histories import check
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

_ROUNDS = 10


async def test_two_people_who_write_to_each_other_first_at_once_are_in_one_conversation(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess, connect: Open
) -> None:
    for _ in range(_ROUNDS):
        ana, bob = system.take_people(2)
        one, other = await connect(gateway_a, ana), await connect(gateway_b, bob)
        answers = await asyncio.gather(one.send("hi bob", to=bob.username), other.send("hi ana", to=ana.username))
        assert all(answer.ok for answer in answers)
        await asyncio.gather(one.received("hi ana"), other.received("hi bob"))
        [mine], [theirs] = one.history.messages, other.history.messages
        assert mine["conversation"] == theirs["conversation"]
        rows = await asyncio.to_thread(check, system, mine["conversation"], one, other)
        assert len(rows) == 2


async def test_a_conversation_that_the_api_made_a_moment_ago_takes_sends_on_every_gateway(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    ana: Person,
    bob: Person,
) -> None:
    api = rest(gateway_a, ana)
    reader, writer = await connect(gateway_a, ana), await connect(gateway_b, bob)
    dead_letters = "SELECT count(*) FROM messaging_deadletter"
    before = system.rows(dead_letters)
    for number in range(_ROUNDS):
        group = await api.post("conversations", {"title": f"group {number}", "members": [bob.username]})
        sent = await writer.send(f"text {number}", conversation=group["id"])
        assert sent.ok, sent
        await reader.received(f"text {number}")
    await asyncio.to_thread(system.wait_archived)
    assert system.rows(dead_letters) == before


async def test_a_conversation_that_was_not_found_is_found_once_it_is_made_elsewhere(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, rest: OpenRest, ana: Person, bob: Person
) -> None:
    one, other = await connect(gateway_a, ana), await connect(gateway_b, bob)
    ids = [UUID((await rest(gateway_a, person).get("me"))["id"]) for person in (ana, bob)]
    conversation = str(direct_conversation_id(*ids))
    assert (await other.send("too early", conversation=conversation)).code == "not_found"
    assert (await one.send("now", to=bob.username)).ok
    assert (await other.send("not too early", conversation=conversation)).ok
    await one.received("not too early")
    assert one.history.contents == ["not too early"]


async def test_two_bodies_under_one_name_sent_at_once_through_two_gateways_are_one_message_for_everybody(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
) -> None:
    ana, bob = talk.people
    accomplice, reader = await connect(gateway_b, ana), await connect(gateway_a, bob)
    size = system.log.size()
    winners: list[str] = []
    for number in range(_ROUNDS):
        client_id = uuid7(time.time_ns() // 1_000_000)
        place = {"conversation": talk.conversation, "client_id": client_id}
        answers = await asyncio.gather(
            talk.writer.send(f"{number}: heads", **place), accomplice.send(f"{number}: tails", **place)
        )
        [winner] = [answer for answer in answers if answer.ok]
        [loser] = [answer for answer in answers if not answer.ok]
        assert loser.code == "conflict"
        winners.append(winner.content)
    assert system.log.size() == size + 2 * _ROUNDS  # both were appended, each time
    rows = await talk.check(for_a_while=[accomplice, reader])
    assert [row.content for row in rows] == ["first", *winners, "the last one"]
    await reader.received("the last one")
    assert reader.history.contents == [*winners, "the last one"]
    assert talk.reader.history.contents == ["first", *winners, "the last one"]
