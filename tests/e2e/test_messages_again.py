"""A `client_id` names a message: the same again is answered with the original, whoever is asked."""

import asyncio
import time
from uuid import UUID

from klatsch.core.ids import message_id, uuid7, uuid_text
from klatsch.eventlog.places import Position
from klatsch.records.header import NEW_MESSAGE, make_header
from klatsch.records.messages import MessagePosted, digest
from klatsch.records.values import encode
from tests.e2e.histories import check
from tests.e2e.talk import Open
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System


async def test_a_message_sent_again_is_answered_with_the_original_position_and_shown_once(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    ana: Person,
    bob: Person,
) -> None:
    phone, laptop = await connect(gateway_a, ana), await connect(gateway_b, ana)
    receiver = await connect(gateway_b, bob)
    first = await phone.send("once", to=bob.username)
    same = {"to": bob.username, "client_id": first.client_id}
    for again in (await phone.send("once", **same), await laptop.send("once", **same)):
        assert again.ok == {"id": first.message_id, "position": first.position, "duplicate": True}
    await phone.send("last", to=bob.username)
    await receiver.received("last")
    await laptop.received("last")
    rows = check(system, receiver.history.messages[0]["conversation"], phone, laptop, receiver)
    assert [row.content for row in rows] == ["once", "last"]
    assert receiver.history.contents == laptop.history.contents == ["once", "last"]


async def test_the_same_client_id_with_another_body_is_a_conflict_and_changes_nothing(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    phone, laptop = await connect(gateway_a, ana), await connect(gateway_b, ana)
    receiver = await connect(gateway_b, bob)
    first = await phone.send("mine", to=bob.username)
    for client in (phone, laptop):
        other = await client.send("another", to=bob.username, client_id=first.client_id)
        assert other.code == "conflict"
    await phone.send("last", to=bob.username)
    await receiver.received("last")
    assert receiver.history.contents == ["mine", "last"]


async def test_the_same_client_id_of_another_person_or_in_another_conversation_is_another_message(
    gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person, carol: Person
) -> None:
    sender, receiver = await connect(gateway_a, ana), await connect(gateway_a, bob)
    client_id = uuid7(time.time_ns() // 1_000_000)
    answers = [
        await sender.send("to bob", to=bob.username, client_id=client_id),
        await sender.send("to carol", to=carol.username, client_id=client_id),
        await receiver.send("to ana", to=ana.username, client_id=client_id),
    ]
    assert len({answer.message_id for answer in answers}) == 3
    assert [answer.ok["duplicate"] for answer in answers if answer.ok] == [False] * 3


async def test_a_copy_is_known_by_a_gateway_that_starts_after_a_producer_whose_clock_is_150_s_slow(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open, ana: Person, bob: Person
) -> None:
    sender, receiver = await connect(gateway_a, ana), await connect(gateway_a, bob)
    await sender.send("first", to=bob.username)
    await receiver.received("first")
    first, client_id = receiver.history.messages[0], uuid7(time.time_ns() // 1_000_000)
    ids = UUID(first["conversation"]), UUID(first["sender_id"])
    name = message_id(ids[0].bytes, ids[1].bytes, client_id)
    fields = {field: first[field] for field in first if field in MessagePosted.__struct_fields__}
    value = MessagePosted(**fields | {"id": uuid_text(name), "client_id": client_id, "content": "once"})
    place = system.log.append(
        Position.parse(first["position"]).partition,
        key=first["conversation"].encode(),
        value=encode(value),
        judge=make_header(NEW_MESSAGE, name, ids[1].bytes, digest("once", None)),
        slow_s=150,
    )
    await receiver.received("once")
    system.wait_archived()
    fresh = system.new_gateway("fresh")
    await asyncio.to_thread(fresh.start, KLATSCH_RING_SECONDS="130")
    again = await (await connect(fresh, ana)).send("once", to=bob.username, client_id=client_id)

    assert again.ok == {"id": uuid_text(name), "position": str(Position(1, *place)), "duplicate": True}
