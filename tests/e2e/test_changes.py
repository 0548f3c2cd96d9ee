"""Edits, deletions, reactions and pins through real gateways: over sockets and REST alike (D18)."""

import time
from typing import Any

from klatsch.core.ids import uuid7
from tests.e2e.client import Attempt, Client
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000)


async def change(client: Client, op: str, said: Attempt, **body: Any) -> dict[str, Any]:
    """Returns the answer to a change of that message."""
    named = {"message": said.message_id, "position": said.position, "client_id": new_id()}
    return await client.request(op, named | body)


async def pushed(client: Client, kind: str, count: int = 1) -> dict[str, Any]:
    await client.until(lambda: len(client.history.pushes(kind)) >= count, f"{count} {kind}")
    return client.history.pushes(kind)[-1]


async def read(talk: Talk, said: Attempt, at_least: str) -> dict[str, Any]:
    page = await talk.api.get(f"conversations/{talk.conversation}/messages", at_least=at_least)
    [message] = [one for one in page["results"] if one["id"] == said.message_id]
    found: dict[str, Any] = message
    return found


async def test_an_edit_by_a_socket_is_pushed_and_read(persister: PersisterProcess, talk: Talk) -> None:
    said = await talk.say("helo")
    answer = await change(talk.writer, "edit", said, content="hello", base=said.position)
    push = await pushed(talk.reader, "message_edited")
    assert push["pos"] == answer["ok"]["position"]
    assert (push["d"]["id"], push["d"]["content"], push["d"]["by"]) == (
        said.message_id, "hello", talk.people[0].username
    )  # fmt: skip
    message = await read(talk, said, answer["ok"]["position"])
    assert (message["content"], message["changed"], message["edited_at"]) == (
        "hello", push["pos"], push["d"]["edited_at"]
    )  # fmt: skip
    assert talk.writer.history.pushes("message_edited") == []
    late = await change(talk.writer, "edit", said, content="HELLO", base=said.position)
    assert (late["err"]["code"], late["err"]["changed"]) == ("conflict", push["pos"])


async def test_a_retry_of_a_change_is_the_same_change_over_either_door(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    said = await talk.say("one")
    name = new_id()
    first = await change(talk.writer, "edit", said, content="two", client_id=name)
    second = await change(talk.writer, "edit", said, content="three")
    again = await change(talk.writer, "edit", said, content="two", client_id=name)
    assert again["ok"] == {"id": first["ok"]["id"], "position": first["ok"]["position"], "duplicate": True}
    other = await change(talk.writer, "edit", said, content="four", client_id=name)
    assert other["err"]["code"] == "conflict"
    http = rest(gateway_b, talk.people[0]).http
    by_rest = await http.patch(
        f"messages/{said.message_id}", json={"content": "two"}, headers={"Idempotency-Key": name}
    )
    assert (by_rest.status_code, by_rest.json()["content"]) == (200, "three")
    assert by_rest.json()["changed"] == second["ok"]["position"]


async def test_one_client_id_is_one_change_of_one_message_over_either_door(
    persister: PersisterProcess, gateway_b: GatewayProcess, talk: Talk, rest: OpenRest
) -> None:
    http = rest(gateway_b, talk.people[0]).http
    said, other = await talk.say("one"), await talk.say("two")
    name = {"Idempotency-Key": new_id()}
    for client_id in (new_id(), "no-uuid"):
        assert "ok" in await change(talk.writer, "pin", said, on=True, client_id=client_id)
        for message, on in ((said, False), (other, True)):
            again = await change(talk.writer, "pin", message, on=on, client_id=client_id)
            assert again["err"]["code"] == "conflict"
    assert (await http.delete(f"messages/{said.message_id}", headers=name)).status_code == 200
    for _ in range(2):
        refused = await http.delete(f"messages/{other.message_id}", headers=name)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert (await http.delete(f"messages/{said.message_id}", headers=name)).status_code == 200
    assert (await talk.api.get(f"messages/{other.message_id}"))["deleted"] is False


async def test_a_deleted_message_is_a_tombstone_for_everybody_and_gone_for_changes(
    persister: PersisterProcess, talk: Talk
) -> None:
    said = await talk.say("a secret")
    answer = await change(talk.writer, "delete", said)
    await pushed(talk.reader, "message_deleted")
    message = await read(talk, said, answer["ok"]["position"])
    assert (message["content"], message["deleted"]) == ("", True)
    for op, body in (("edit", {"content": "x"}), ("react", {"emoji": "👍", "on": True}), ("delete", {})):
        assert (await change(talk.writer, op, said, **body))["err"]["code"] == "gone"
    again = await talk.api.http.put(f"messages/{said.message_id}/reactions/👍")
    assert (again.status_code, again.json()["code"]) == (410, "gone")


async def test_only_the_author_edits_and_deletes_in_a_direct_conversation(
    persister: PersisterProcess, talk: Talk
) -> None:
    said = await talk.say("mine")
    for op, body in (("edit", {"content": "yours"}), ("delete", {})):
        assert (await change(talk.reader, op, said, **body))["err"]["code"] == "forbidden"
    assert talk.writer.history.pushes("message_edited") == []


async def test_reactions_and_pins_by_rest_reach_the_sockets_of_both(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    bob = talk.people[1].username
    said = await talk.say("nice")
    put = await talk.api.http.put(f"messages/{said.message_id}/reactions/👍")
    assert (put.status_code, put.json()["reactions"], put.json()["reaction_counts"]) == (200, {"👍": [bob]}, {"👍": 1})
    pin = await talk.api.http.put(f"messages/{said.message_id}/pin")
    assert (pin.status_code, pin.json()["pinned_at"] is not None) == (200, True)
    for client in (talk.reader, talk.writer):
        push = await pushed(client, "reaction")
        assert (push["d"]["emoji"], push["d"]["on"], push["d"]["user"]) == ("👍", True, bob)
        assert (await pushed(client, "pinned"))["d"]["on"] is True
    answer = await change(talk.reader, "react", said, emoji="👍", on=False)
    assert (await read(talk, said, answer["ok"]["position"]))["reactions"] == {}
    assert (await talk.api.http.delete(f"messages/{said.message_id}/pin")).json()["pinned_at"] is None


async def test_a_message_that_is_not_mine_to_see_is_not_there(
    gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk, connect: Open, rest: OpenRest
) -> None:
    said = await talk.say("between us")
    [eve] = talk.system.take_people(1)
    client = await connect(gateway_a, eve)
    for op, body in (("edit", {"content": "x"}), ("react", {"emoji": "👍", "on": True}), ("pin", {"on": True})):
        assert (await change(client, op, said, **body))["err"]["code"] == "not_found"
    nowhere = Attempt(new_id(), "", 0, {"ok": {"id": new_id(), "position": said.position}})
    assert (await change(client, "delete", nowhere))["err"]["code"] == "not_found"
    http = rest(gateway_a, eve).http
    for path in (said.message_id, nowhere.message_id):
        refused = await http.patch(f"messages/{path}", json={"content": "x"})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


async def test_what_changed_while_away_is_told_on_resume(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    said = await talk.say("before")
    await talk.reader.received("before")
    away = await Client.open(gateway_b, talk.people[1])
    token = away.token
    await away.close()
    await change(talk.writer, "edit", said, content="after")
    answer = await change(talk.writer, "react", said, emoji="🎉", on=True)
    assert "ok" in answer
    back = await Client.open(gateway_b, talk.people[1], resume=token)
    try:
        assert (await pushed(back, "message_edited"))["d"]["content"] == "after"
        assert (await pushed(back, "reaction"))["d"]["emoji"] == "🎉"
    finally:
        await back.close()
