"""Messages of a removed member are void for everybody, wherever they were on their way at the removal."""

import asyncio
from uuid import UUID

from klatsch.accounts import queries
from klatsch.conversations.access import Access
from tests.e2e.client import Attempt, Client
from tests.e2e.histories import archived
from tests.e2e.rest import Rest
from tests.e2e.talk import Open, OpenRest
from tests.e2e.unaware import append_as
from tests.support.process import GatewayProcess, PersisterProcess, stopped
from tests.support.system import Person, System

_TRIES = 200  # about one in six succeeds on a quiet machine, and fewer beside other load


async def test_a_send_that_was_under_way_when_its_sender_was_removed_is_rejected_and_void_for_all(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    rest: OpenRest,
    ana: Person,
    bob: Person,
    carol: Person,
) -> None:
    api = rest(gateway_a, ana)
    group = (await api.post("conversations", {"title": "three", "members": [bob.username, carol.username]}))["id"]
    owner, member = await connect(gateway_a, ana), await connect(gateway_b, bob)
    others = [await connect(gateway_a, carol), await connect(gateway_b, carol)]
    said: list[str] = []
    for number in range(_TRIES):
        said.append(f"{number}: member")
        assert (await member.send(said[-1], conversation=group)).ok
        size = system.log.size()
        late = await _send_while_being_removed(gateway_b, api, member, group, bob)
        if late.code == "not_a_member":
            break
        assert late.code == "not_found"  # the gateway had read of the removal before it read the frame
        await api.post(f"conversations/{group}/members", {"username": bob.username})
    else:
        raise AssertionError("no send was under way when its sender was removed")
    assert system.log.size() == size + 2  # the removal, and the late one after it
    said.append("after")
    await owner.send("after", conversation=group)
    for client in others:
        await client.received("after")
        assert client.history.contents == said
    assert (await member.send("later", conversation=group)).code == "not_found"
    assert "after" not in member.history.contents
    await asyncio.to_thread(system.wait_archived)
    rows = archived(system, group)
    assert [(row.content, row.seq) for row in rows] == [(content, n + 1) for n, content in enumerate(said)]


async def _send_while_being_removed(
    gateway: GatewayProcess, api: Rest, member: Client, group: str, person: Person
) -> Attempt:
    """Sends while the gateway is stopped: the frame lies in its socket when the removal stands in the log."""
    with stopped(gateway.pid):
        attempt = await member.post("too late", conversation=group)
        removed = await api.http.delete(f"conversations/{group}/members/{person.username}")
        assert removed.status_code == 204, removed.text
    await member.answered([attempt])
    return attempt


async def test_a_record_of_a_removed_member_after_their_removal_is_void_until_they_are_added_again(
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
    group = (await api.post("conversations", {"title": "two", "members": [bob.username]}))["id"]
    clients = [await connect(gateway_a, ana), await connect(gateway_b, ana)]
    member = await connect(gateway_b, bob)
    await member.send("before", conversation=group)
    user_id = UUID((await theirs.get("me"))["id"])
    access = Access.of(
        conversation=UUID(group), kind="group", sender=queries.Person(user_id, bob.username), receiver=None
    )
    assert (await api.http.delete(f"conversations/{group}/members/{bob.username}")).status_code == 204
    append_as(system, access, "void")
    await api.post(f"conversations/{group}/members", {"username": bob.username})
    append_as(system, access, "in force")
    await clients[0].send("last", conversation=group)
    for client in (*clients, member):
        await client.received("in force")
        assert "void" not in client.history.contents
    await asyncio.to_thread(system.wait_archived)
    assert [row.content for row in archived(system, group)] == ["before", "in force", "last"]
    history = await theirs.history(f"conversations/{group}/messages")
    assert [(message["content"], message["seq"]) for message in history] == [
        ("before", 1),
        ("in force", 2),
        ("last", 3),
    ]
