"""Typing and presence over real gateways: across them, through the death of one, and without their topic (D20)."""

import asyncio
import json

import httpx
import pytest

from klatsch.embedded.kafka import EmbeddedKafka
from tests.e2e.client import Client
from tests.e2e.talk import Open, Talk
from tests.support.process import GatewayProcess, QuickGateway, wait_until
from tests.support.system import Person, System

pytestmark = pytest.mark.usefixtures("persister")


async def opened(client: Client, conversation: str) -> None:
    assert "ok" in await client.request("open", {"conversations": [conversation]})


async def type_in(client: Client, conversation: str, *, on: bool = True) -> None:
    await client.write(json.dumps({"op": "typing", "d": {"conversation": conversation, "on": on}}))


async def shown(client: Client, *people: Person) -> dict[str, list[str]]:
    answer = await client.request("presence", {"users": [person.username for person in people]})
    told: dict[str, list[str]] = answer["ok"]
    return told


async def until_online(client: Client, *people: Person) -> None:
    """Shows these people, and waits until all of them are online by the answer and what was pushed after it."""
    online = set((await shown(client, *people))["online"])
    wanted = {person.username for person in people}
    await client.until(
        lambda: online | {name for push in client.history.pushes("presence") for name in push["d"]["online"]} >= wanted,
        f"{wanted} are online",
    )


async def until_told(client: Client, *, online: bool, person: Person) -> None:
    """Waits until the last push about that person is this."""

    def last() -> str | None:
        pushes = [push["d"] for push in client.history.pushes("presence")]
        about = [push for push in pushes if person.username in push["online"] + push["offline"]]
        states = ["online" if person.username in push["online"] else "offline" for push in about]
        return states[-1] if states else None

    await client.until(lambda: last() == ("online" if online else "offline"), f"{person.username} is {online=}")


async def test_who_types_at_one_gateway_is_seen_at_another(talk: Talk) -> None:
    await until_online(talk.reader, talk.people[0])  # signals pass: both gateways are ready without them
    await opened(talk.reader, talk.conversation)
    await opened(talk.writer, talk.conversation)
    await type_in(talk.writer, talk.conversation)
    await type_in(talk.writer, talk.conversation, on=False)
    await talk.reader.until(lambda: len(talk.reader.history.pushes("typing")) == 2, "both signals")

    assert [(push["d"]["user"], push["d"]["on"]) for push in talk.reader.history.pushes("typing")] == [
        (talk.people[0].username, True),
        (talk.people[0].username, False),
    ]
    assert talk.writer.history.pushes("typing") == []
    assert all("pos" not in push for push in talk.reader.history.pushes("typing"))


async def test_typing_needs_no_id_and_a_bad_one_is_answered_without_one(talk: Talk) -> None:
    await talk.writer.write(json.dumps({"op": "typing", "d": {"conversation": talk.conversation}}))
    answer = await talk.writer.answer_to(None)

    assert answer["err"]["code"] == "bad_request"


async def test_a_conversation_of_others_cannot_be_opened(talk: Talk, connect: Open, carol: Person) -> None:
    client = await connect(talk.system.gateway_a, carol)
    answer = await client.request("open", {"conversations": [talk.conversation]})

    assert answer["err"]["code"] == "not_found"


async def test_presence_is_seen_across_gateways_by_those_who_share_a_conversation(
    talk: Talk, connect: Open, carol: Person
) -> None:
    ana, bob = talk.people
    await until_online(talk.writer, bob)
    assert await shown(talk.writer, bob, carol) == {"online": [bob.username], "offline": [carol.username]}
    stranger = await connect(talk.system.gateway_a, carol)

    assert await shown(stranger, ana, bob) == {"online": [], "offline": [ana.username, bob.username]}


async def test_members_of_a_group_are_found_in_postgresql(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, talk: Talk, carol: Person
) -> None:
    ana, _ = talk.people
    await talk.api.post("conversations", {"title": "Tea", "members": [carol.username]})
    bob = talk.reader
    carols = await connect(gateway_a, carol)
    await until_online(bob, carol)

    assert await shown(carols, talk.people[1], ana) == {
        "online": [talk.people[1].username],
        "offline": [ana.username],
    }


async def test_who_is_blocked_sees_the_blocker_go_offline_at_once_and_not_the_other_way_round(talk: Talk) -> None:
    ana, bob = talk.people
    await until_online(talk.writer, bob)
    await until_online(talk.reader, ana)
    assert (await talk.api.http.put(f"blocks/{ana.username}")).status_code == httpx.codes.NO_CONTENT
    await until_told(talk.writer, online=False, person=bob)

    assert await shown(talk.writer, bob) == {"online": [], "offline": [bob.username]}
    assert await shown(talk.reader, ana) == {"online": [ana.username], "offline": []}
    assert (await talk.api.http.delete(f"blocks/{ana.username}")).status_code == httpx.codes.NO_CONTENT
    await until_online(talk.writer, bob)


async def test_who_is_removed_from_the_last_shared_conversation_sees_the_others_go_offline_at_once(
    gateway_a: GatewayProcess, connect: Open, talk: Talk, carol: Person
) -> None:
    ana, bob = talk.people
    group = await talk.api.post("conversations", {"title": "Tea", "members": [ana.username, carol.username]})
    carols = await connect(gateway_a, carol)
    await until_online(carols, ana, bob)
    removed = await talk.api.http.delete(f"conversations/{group['id']}/members/{carol.username}")
    assert removed.is_success, removed.text
    await until_told(carols, online=False, person=ana)
    await until_told(carols, online=False, person=bob)

    assert await shown(carols, ana, bob) == {"online": [], "offline": [ana.username, bob.username]}
    await until_online(talk.writer, bob)  # these two are still in it


async def test_the_people_of_a_killed_gateway_go_offline_and_those_who_move_do_not_flicker(
    system: System, connect: Open, ana: Person, bob: Person, carol: Person
) -> None:
    """Uses intervals a thirtieth of the usual: three seconds after the gateway's last word, not ninety."""
    first, second = (system.new_gateway(f"quick-{name}", QuickGateway) for name in "ab")
    await asyncio.to_thread(first.start)
    await asyncio.to_thread(second.start)
    watching = await connect(first, ana)
    bobs, carols = await connect(second, bob), await connect(second, carol)
    for client in (bobs, carols):
        await client.send("hello", to=ana.username)
    await watching.received("hello")
    await watching.until(lambda: len(watching.history.messages) == 2, "both messages")
    await until_online(watching, bob, carol)
    before = len(watching.history.pushes("presence"))
    second.kill()
    moved = await connect(first, carol)
    await until_told(watching, online=False, person=bob)

    pushed = [push["d"] for push in watching.history.pushes("presence")[before:]]
    assert pushed == [{"online": [], "offline": [bob.username]}]
    assert (await shown(moved, ana))["online"] == [ana.username]


async def test_a_drained_gateway_says_so_and_its_people_have_the_grace_alone(
    system: System, connect: Open, ana: Person, bob: Person
) -> None:
    first, second = (system.new_gateway(f"draining-{name}", QuickGateway) for name in "ab")
    await asyncio.to_thread(first.start)
    await asyncio.to_thread(second.start)
    watching, bobs = await connect(first, ana), await connect(second, bob)
    await bobs.send("hello", to=ana.username)
    await watching.received("hello")
    await until_online(watching, bob)
    await asyncio.to_thread(second.stop)
    await until_told(watching, online=False, person=bob)


async def test_without_its_topic_everything_else_works_and_signals_come_back_with_it(
    system: System, connect: Open, ana: Person, bob: Person
) -> None:
    topic = f"{system.signals.topic}_late"
    lonely = system.new_gateway("lonely")
    await asyncio.to_thread(lonely.start, KLATSCH_SIGNALS_TOPIC=topic)  # it is ready
    anas, bobs = await connect(lonely, ana), await connect(lonely, bob)
    assert (await anas.send("hi", to=bob.username)).ok
    await bobs.received("hi")
    conversation = str(bobs.history.messages[0]["conversation"])
    assert (await shown(bobs, ana))["online"] == [ana.username]  # at the same gateway
    await opened(bobs, conversation)
    await type_in(anas, conversation)
    await asyncio.to_thread(wait_until, lambda: lonely.events("signals_away"), "it is logged", 20)
    await asyncio.to_thread(system.manage_with, {"KLATSCH_SIGNALS_TOPIC": topic}, "topics", "create")
    await asyncio.to_thread(wait_until, lambda: lonely.events("signals_back"), "the topic is found", 30)
    await type_in(anas, conversation, on=False)
    await type_in(anas, conversation)
    await bobs.until(lambda: bobs.history.pushes("typing"), "a signal")

    assert len(lonely.events("signals_away")) == 1
    await asyncio.to_thread(system.delete_topic, topic)


async def test_a_server_without_signals_refuses_all_three(system: System, connect: Open, ana: Person) -> None:
    gateway = system.new_gateway("silent")
    await asyncio.to_thread(gateway.start, KLATSCH_SIGNALS="0")
    client = await connect(gateway, ana)
    refused = [
        await client.request("open", {"conversations": []}),
        await client.request("presence", {"users": []}),
    ]
    await client.write('{"op":"typing","d":{"conversation":"x","on":true}}')
    refused.append(await client.answer_to(None))

    assert [answer["err"]["code"] for answer in refused] == ["forbidden"] * 3
    assert not gateway.events("signals_away")


async def test_after_an_outage_of_the_brokers_signals_go_on(talk: Talk, own_kafka: EmbeddedKafka) -> None:
    await until_online(talk.reader, talk.people[0])
    await opened(talk.reader, talk.conversation)
    await type_in(talk.writer, talk.conversation)
    await talk.reader.until(lambda: talk.reader.history.pushes("typing"), "a signal")
    before = len(talk.reader.history.pushes("typing"))
    await asyncio.to_thread(own_kafka.kill)
    await type_in(talk.writer, talk.conversation, on=False)
    await asyncio.to_thread(own_kafka.start)
    await asyncio.to_thread(own_kafka.wait_ready)
    assert (await talk.say("hello again")).ok
    async with asyncio.timeout(60):
        while len(talk.reader.history.pushes("typing")) == before:
            await type_in(talk.writer, talk.conversation)
            await asyncio.sleep(1)

    assert talk.reader.closed is None
