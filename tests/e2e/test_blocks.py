"""Blocks on real processes: whoever is blocked is refused over WebSocket and REST, and what was on its way is void."""

import asyncio
from uuid import UUID

import httpx

from klatsch.accounts import queries
from klatsch.conversations.access import Access
from tests.e2e.histories import archived
from tests.e2e.rest import Rest
from tests.e2e.talk import Open, OpenRest
from tests.e2e.unaware import append_as
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System


async def change(api: Rest, method: str, person: Person) -> None:
    answer = await api.http.request(method, f"blocks/{person.username}")
    assert answer.status_code == httpx.codes.NO_CONTENT, answer.text


async def test_a_blocked_person_is_refused_everywhere_and_neither_log_nor_archive_nor_a_socket_sees_anything(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    ana: Person,
    bob: Person,
) -> None:
    owner, blocked = rest(gateway_a, ana), rest(gateway_b, bob)
    reader, writer, other = (
        await connect(gateway_a, ana),
        await connect(gateway_b, bob),
        await connect(gateway_a, bob),
    )
    assert (await writer.send("before", to=ana.username)).ok
    await reader.received("before")
    direct = str(reader.history.messages[0]["conversation"])
    await change(owner, "PUT", bob)
    for client in (reader, writer, other):
        await client.until(lambda c=client: c.history.pushes("members"), "the record of the block")  # type: ignore[misc]  # bound as a default
    size = system.log.size()
    for client in (writer, other):
        assert (await client.send("refused", to=ana.username)).code == "blocked"
        assert (await client.send("refused", conversation=direct)).code == "blocked"
    assert (await reader.send("refused", to=bob.username)).code == "forbidden"
    for gateway in (gateway_a, gateway_b):
        api = rest(gateway, bob)
        for path in (f"users/{ana.username}/messages", f"conversations/{direct}/messages"):
            answer = await api.http.post(path, json={"content": "refused"})
            assert (answer.status_code, answer.json()["code"]) == (403, "blocked")
    assert system.log.size() == size
    late = await connect(gateway_b, bob)  # who comes now reads of the block in PostgreSQL
    assert (await late.send("refused", conversation=direct)).code == "blocked"
    assert system.log.size() == size
    await asyncio.to_thread(system.wait_archived)
    history = await blocked.history(f"users/{ana.username}/messages")
    assert [message["content"] for message in history] == ["before"]
    await change(owner, "DELETE", bob)
    assert (await writer.send("after", conversation=direct)).ok
    assert (await reader.send("answer", to=bob.username)).ok
    await reader.received("after")
    await asyncio.to_thread(system.wait_archived)
    assert [row.content for row in archived(system, direct)] == ["before", "after", "answer"]
    assert reader.history.contents == ["before", "after"]


async def test_a_record_of_a_blocked_person_is_void_also_for_a_gateway_that_starts_later(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    ana: Person,
    bob: Person,
) -> None:
    api, theirs = rest(gateway_a, ana), rest(gateway_b, bob)
    reader, writer = await connect(gateway_a, ana), await connect(gateway_b, bob)
    await writer.send("before", to=ana.username)
    await reader.received("before")
    [first] = reader.history.messages
    people = [
        queries.Person(UUID((await one.get("me"))["id"]), name.username) for one, name in ((theirs, bob), (api, ana))
    ]
    access = Access.of(conversation=UUID(first["conversation"]), kind="direct", sender=people[0], receiver=people[1])
    await change(api, "PUT", bob)
    later = system.new_gateway("later")
    await asyncio.to_thread(later.start)
    clients = [reader, await connect(gateway_b, ana), await connect(later, ana)]
    append_as(system, access, "void")
    await change(api, "DELETE", bob)
    append_as(system, access, "in force")
    for client in clients:
        await client.received("in force")
        assert "void" not in client.history.contents
    await asyncio.to_thread(system.wait_archived)
    assert [row.content for row in archived(system, first["conversation"])] == ["before", "in force"]


async def test_a_client_that_was_away_is_told_who_is_blocked(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    ana: Person,
    bob: Person,
) -> None:
    writer = await connect(gateway_b, bob)
    await writer.send("before", to=ana.username)
    [first] = [attempt for attempt in writer.history.attempts if attempt.ok]
    token = writer.token
    await writer.close()
    await change(rest(gateway_a, ana), "PUT", bob)
    await asyncio.to_thread(system.wait_archived)
    fresh = system.new_gateway("fresh")  # holds nothing in memory: what is missing comes from the archive
    await asyncio.to_thread(fresh.start)
    back = await connect(fresh, bob, resume=token)
    told = [
        frame["d"]["members"]
        for frame in back.history.frames
        if frame.get("t") in {"members", "state"} and "members" in frame["d"]
    ]
    assert {m["user"]: m["blocked"] for m in told[-1]} == {ana.username: False, bob.username: True}
    assert first.ok
