"""Two people talk over sockets: who gets what, and what a connection is told."""

import re

from klatsch.embedded.kafka import EmbeddedKafka
from tests.e2e.histories import check
from tests.e2e.talk import Open
from tests.support.process import GatewayProcess, PersisterProcess, stopped
from tests.support.system import Person, System


async def test_a_message_reaches_the_receiver_and_every_other_connection_of_the_sender(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    phone, laptop = await connect(gateway_a, ana), await connect(gateway_b, ana)
    receiver = await connect(gateway_b, bob)
    sent = await phone.send("hi", to=bob.username)
    await receiver.received("hi")
    await laptop.received("hi")
    [message] = receiver.history.messages
    assert (message["id"], message["position"]) == (sent.message_id, sent.position)
    assert (message["sender"], message["receiver"]) == (ana.username, bob.username)
    assert laptop.history.messages == [message]
    # A later message has come to the sending connection, and its own has not.
    await receiver.send("hello", to=ana.username)
    await phone.received("hello")
    assert phone.history.contents == ["hello"]


async def test_a_push_carries_the_message_verbatim_and_all_that_a_message_has(
    gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    sender, receiver = await connect(gateway_a, ana), await connect(gateway_a, bob)
    sent = await sender.send('with "quotes", \\ and\ttabs\r\n🎉 \u2028', to=bob.username)
    await receiver.received(sent.content)
    [push] = receiver.history.pushes("message")
    assert push["pos"] == push["d"]["position"] == push["d"]["changed"] == sent.position
    fields = "id client_id conversation sender receiver content sent_at position changed edited_at deleted reply_to "
    assert set(push["d"]) >= set((fields + "reactions sender_id").split())
    assert (push["d"]["client_id"], push["d"]["edited_at"], push["d"]["deleted"]) == (sent.client_id, None, False)


async def test_people_who_are_not_in_a_conversation_see_nothing_of_it(
    gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person, carol: Person
) -> None:
    sender, stranger = await connect(gateway_a, ana), await connect(gateway_a, carol)
    await sender.send("between us", to=bob.username)
    await sender.send("for carol", to=carol.username)
    await stranger.received("for carol")
    assert stranger.history.contents == ["for carol"]


async def test_hello_is_answered_with_who_one_is_and_the_limits_and_then_a_mark(
    gateway_a: GatewayProcess, connect: Open, ana: Person
) -> None:
    client = await connect(gateway_a, ana)
    answer, mark = client.history.frames
    assert answer["ok"]["user"] == ana.username
    assert answer["ok"]["resumed"] is False
    assert answer["ok"]["limits"] == {"unanswered": 64, "frame": 65_536, "text": 4_000}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["ok"]["now"])
    assert mark["t"] == "mark"
    assert re.fullmatch(r"1\.[0-9a-f]{16}(\.\d+:\d+){12}", mark["resume"])


async def test_a_current_token_is_resumed_without_a_reset(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, ana: Person
) -> None:
    before = await connect(gateway_a, ana)
    after = await connect(gateway_b, ana, resume=before.token)
    assert after.history.frames[0]["ok"]["resumed"] is True
    assert after.history.pushes("reset") == []
    assert after.token == before.token


async def test_a_token_that_cannot_be_used_is_answered_with_a_reset_before_the_mark(
    gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    first, receiver = await connect(gateway_a, ana), await connect(gateway_a, bob)
    await first.send("one", to=bob.username)
    await receiver.received("one")
    conversation = receiver.history.messages[0]["conversation"]
    own = str(first.token)
    for token, why in (
        (str(receiver.token), "too_far_behind"),
        (own.replace("1.", "2.", 1), "unknown_epoch"),
        ("forged", "unknown_epoch"),
    ):
        client = await connect(gateway_a, ana, resume=token)
        answer, reset, mark = client.history.frames
        assert answer["ok"]["resumed"] is False
        assert reset == {
            "t": "reset",
            "d": {"conversations": [conversation], "why": why, "at_least": mark["resume"]},
        }


async def test_hello_comes_first_and_once(gateway_a: GatewayProcess, connect_silent: Open, ana: Person) -> None:
    client = await connect_silent(gateway_a, ana)
    early = await client.send("too early", to=ana.username)
    assert early.code == "bad_request"
    assert "ok" in await client.request("hello", {})
    again = await client.request("hello", {"resume": None})
    assert again["err"]["code"] == "bad_request"
    assert client.closed is None


async def test_the_order_of_pipelined_sends_is_kept(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    connect: Open,
    ana: Person,
    bob: Person,
) -> None:
    sender, receiver = await connect(gateway_a, ana), await connect(gateway_b, bob)
    attempts = [await sender.post(f"text {n}", to=bob.username) for n in range(64)]
    await sender.answered(attempts)
    await receiver.received("text 63")
    rows = check(system, receiver.history.messages[0]["conversation"], sender, receiver)
    assert [row.content for row in rows] == [f"text {n}" for n in range(64)]


async def test_the_sixty_fifth_unanswered_send_is_refused_for_now_and_the_others_are_answered(
    system: System, own_kafka: EmbeddedKafka, gateway_a: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    client = await connect(gateway_a, ana)
    await client.send("first", to=bob.username)
    size = system.log.size()
    assert own_kafka.process is not None
    with stopped(own_kafka.process.pid):
        attempts = [await client.post(f"text {n}", to=bob.username) for n in range(65)]
        await client.answered(attempts[64:])
        assert [a.answer for a in attempts[:64]] == [None] * 64
    await client.answered(attempts)
    assert attempts[64].code == "rate_limited"
    assert attempts[64].answer is not None
    assert attempts[64].answer["err"]["temporary"] is True
    assert all(attempt.ok for attempt in attempts[:64])
    assert system.log.size() == size + 64
