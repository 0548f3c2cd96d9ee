"""REST and sockets are two doors to the same conversations."""

import asyncio
import time

from klatsch.core.ids import uuid7
from tests.e2e.conftest import OpenNewcomer
from tests.e2e.histories import archived, order
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import System

_READ_ONLY = {"seq", "pinned_at", "reaction_counts", "reply_preview"}
"""The fields of a message that a push of a new one does not have."""


def _new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000)


async def test_what_is_sent_by_rest_appears_on_the_sockets_of_both_and_is_archived(
    gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    ana, bob = talk.people
    sent = await rest(gateway_a, ana).send(bob.username, "by REST")
    await talk.reader.received("by REST")
    await talk.writer.received("by REST")
    for client in (talk.reader, talk.writer):
        pushed = client.history.messages[-1]
        assert {name: pushed[name] for name in sent if name not in _READ_ONLY} == {
            name: value for name, value in sent.items() if name not in _READ_ONLY
        }
    assert sent["seq"] == 2
    assert sent["conversation"] == talk.conversation
    assert [row.content for row in archived(talk.system, talk.conversation)] == ["first", "by REST"]


async def test_what_is_sent_by_a_socket_appears_in_all_histories_when_its_position_is_asked_for(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    ana, bob = talk.people
    sent = await talk.say("by socket")
    reader = rest(gateway_b, bob)
    for path in (f"users/{ana.username}/messages", f"conversations/{talk.conversation}/messages", "messages"):
        page = await reader.get(path, at_least=sent.position)
        assert [message["content"] for message in page["results"]] == ["by socket", "first"]
        newest = page["results"][0]
        assert (newest["id"], newest["position"], newest["seq"]) == (sent.message_id, sent.position, 2)
    [conversation] = (await reader.get("conversations"))["results"]
    assert conversation["id"] == talk.conversation
    assert conversation["last_message"]["id"] == sent.message_id


async def test_the_pages_of_a_history_are_the_conversation_as_everybody_saw_it(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    for _ in range(4):
        attempts = [await talk.writer.post(_new_id(), conversation=talk.conversation) for _ in range(60)]
        await talk.writer.answered(attempts)
    rows = await talk.check()
    assert len(rows) == 242
    for gateway, person in zip((gateway_a, gateway_b), talk.people, strict=True):
        history = await rest(gateway, person).history(f"conversations/{talk.conversation}/messages")
        assert [(m["id"], m["position"], m["seq"]) for m in history] == [(r.id, r.position, r.seq) for r in rows]
    assert [m["id"] for m in talk.reader.history.messages] == [row.id for row in rows]


async def test_a_retry_through_the_other_door_is_the_same_message(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    ana, bob = talk.people
    client = rest(gateway_b, ana)
    by_socket = await talk.say("by socket")
    again = await client.send(bob.username, "by socket", client_id=by_socket.client_id)
    assert (again["id"], again["position"]) == (by_socket.message_id, by_socket.position)
    by_rest = await client.send(bob.username, "by REST", client_id=_new_id())
    retry = await talk.writer.send("by REST", to=bob.username, client_id=by_rest["client_id"])
    assert retry.ok == {"id": by_rest["id"], "position": by_rest["position"], "duplicate": True}
    path = f"conversations/{talk.conversation}/messages/{by_rest['client_id']}"
    put = await client.http.put(path, json={"content": "by REST"})
    assert (put.status_code, put.json()["position"]) == (201, by_rest["position"])
    key = {"Idempotency-Key": by_rest["client_id"]}
    posted = await client.http.post(f"users/{bob.username}/messages", json={"content": "by REST"}, headers=key)
    assert (posted.status_code, posted.json()["position"]) == (201, by_rest["position"])
    other = await client.http.put(path, json={"content": "another"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    conflict = await talk.writer.send("another", to=bob.username, client_id=by_rest["client_id"])
    assert conflict.code == "conflict"
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "by socket", "by REST", "the last one"]


async def test_while_the_archive_is_behind_a_message_is_logged_and_shown_and_then_archived_once(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk, rest: OpenRest
) -> None:
    ana, bob = talk.people
    await asyncio.to_thread(persister.stop)
    sending = asyncio.create_task(
        rest(gateway_a, ana).post(f"users/{bob.username}/messages", {"content": "logged"}, status=202)
    )
    await talk.reader.received("logged")
    old = await talk.writer.send("of an old name", conversation=talk.conversation, client_id="yesterday-1")
    assert old.code == "not_archived_yet"
    logged = await sending
    assert logged["seq"] is None
    await asyncio.to_thread(persister.start)
    retry = await talk.writer.send("of an old name", conversation=talk.conversation, client_id="yesterday-1")
    assert retry.ok == {"id": retry.message_id, "position": retry.position, "duplicate": False}
    rows = await talk.check()
    assert [row.content for row in rows] == ["first", "logged", "of an old name", "the last one"]
    assert rows[1].position == logged["position"]


async def test_a_client_id_that_is_no_fresh_uuid7_names_one_message_for_ever(
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
    rest: OpenRest,
) -> None:
    ana, bob = talk.people
    laptop = await connect(gateway_b, ana)
    for name in ("order-17", "a" * 64, "_", uuid7(0), uuid7(time.time_ns() // 1_000_000 - 3_600_000)):
        first, other = await asyncio.gather(
            talk.writer.send(name, to=bob.username, client_id=name),
            laptop.send(name, to=bob.username, client_id=name),
        )
        assert first.position == other.position
        again = await laptop.send(name, conversation=talk.conversation, client_id=name)
        assert again.ok == {"id": first.message_id, "position": first.position, "duplicate": True}
        by_rest = await rest(gateway_a, ana).send(bob.username, name, client_id=name)
        assert by_rest["position"] == first.position
        conflict = await talk.writer.send("another", to=bob.username, client_id=name)
        assert conflict.code == "conflict"
    rows = await talk.check(for_a_while=[laptop])
    assert len(rows) == 7
    assert sorted(rows, key=lambda row: order(row.position)) == rows


async def test_two_people_who_register_and_log_in_talk_over_both_doors(
    gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open, rest: OpenRest, newcomer: OpenNewcomer
) -> None:
    dora, emil = await newcomer(gateway_a), await newcomer(gateway_a)
    socket = await connect(gateway_a, emil)
    await rest(gateway_a, dora).send(emil.username, "hello emil")
    await socket.received("hello emil")
    answer = await socket.send("hello dora", to=dora.username)
    history = await rest(gateway_a, dora).get(f"users/{emil.username}/messages", at_least=answer.position)
    assert [message["content"] for message in history["results"]] == ["hello dora", "hello emil"]
