"""Gateways that are killed, stopped and drained, and clients that stop reading."""

import asyncio
import signal
from collections.abc import Sequence

import pytest

from klatsch.embedded.kafka import EmbeddedKafka
from tests.e2e.client import Attempt, Client
from tests.e2e.talk import Open, Talk
from tests.support.process import GatewayProcess, PersisterProcess, stopped, unread_bytes, wait_until
from tests.support.system import System

_COUNT = 20
_LARGE = "🎉" * 4_000  # 16 kB


async def _post_many(talk: Talk) -> list[Attempt]:
    texts = [f"text {number} {'x' * 1_000}" for number in range(_COUNT)]
    return [await talk.writer.post(text, conversation=talk.conversation) for text in texts]


async def _send_again(client: Client, attempts: Sequence[Attempt], conversation: str) -> list[Attempt]:
    return [await client.send(a.content, conversation=conversation, client_id=a.client_id) for a in attempts]


async def test_killed_between_the_logs_answer_and_its_own_a_retry_elsewhere_gets_the_original_position(
    system: System,
    own_kafka: EmbeddedKafka,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
) -> None:
    assert own_kafka.process is not None
    size = system.log.size()
    with stopped(own_kafka.process.pid):
        attempts = await _post_many(talk)
        await asyncio.to_thread(
            wait_until, lambda: unread_bytes(own_kafka.port, gateway_a.pid) > 2_000, "the log's socket holds some"
        )
        gateway_a.kill()
        await talk.writer.until_closed()
        assert [attempt.answer for attempt in attempts] == [None] * _COUNT
    await talk.reader.received(attempts[0].content)
    again = await connect(gateway_b, talk.people[0])
    retries = await _send_again(again, attempts, talk.conversation)
    assert all(retry.ok for retry in retries)
    appended = [retry for retry in retries if retry.ok and retry.ok["duplicate"]]
    assert appended[0].position == talk.reader.history.messages[1]["position"]
    assert [retry.client_id for retry in appended] == [attempt.client_id for attempt in attempts[: len(appended)]]
    assert system.log.size() == size + _COUNT + len(appended)
    rows = await talk.check(for_a_while=[again])
    assert [row.content for row in rows[1:-1]] == [attempt.content for attempt in attempts]


async def test_killed_before_it_appended_a_retry_elsewhere_makes_the_one_message(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    talk: Talk,
    connect: Open,
) -> None:
    size = system.log.size()
    with stopped(gateway_a.pid):
        attempts = await _post_many(talk)
        gateway_a.kill()
    await talk.writer.until_closed()
    assert system.log.size() == size
    again = await connect(gateway_b, talk.people[0])
    for retry in await _send_again(again, attempts, talk.conversation):
        assert retry.ok == {"id": retry.message_id, "position": retry.position, "duplicate": False}
    rows = await talk.check(for_a_while=[again])
    assert [row.content for row in rows[1:-1]] == [attempt.content for attempt in attempts]


async def test_while_one_is_stopped_the_others_go_on_and_it_shows_all_in_order_when_it_is_continued(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk
) -> None:
    with stopped(gateway_b.pid):
        for number in range(_COUNT):
            assert (await talk.say(f"text {number}")).ok
    rows = await talk.check()
    assert len(rows) == _COUNT + 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_told_to_stop_it_marks_and_closes_its_sockets_with_4301_and_ends(
    number: signal.Signals, gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk
) -> None:
    token = talk.writer.token
    await talk.say("before")
    await asyncio.to_thread(gateway_a.stop, number)
    assert await talk.writer.until_closed() == 4301
    assert talk.writer.history.frames[-1] == {"t": "mark", "resume": talk.writer.token}
    assert talk.writer.token != token
    await talk.reader.received("before")


async def test_a_client_that_takes_nothing_while_much_comes_is_closed_with_4302_and_holds_up_nobody(
    gateway_b: GatewayProcess, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    slow = await _stalled(talk, gateway_b, connect)
    closed = len(_closed_with(gateway_b, 4302))
    number = 0
    # 64 kB fit into the transport, 1 MB into the outbox, and some into the kernel's buffers.
    while len(_closed_with(gateway_b, 4302)) == closed:
        number += 1
        assert number < 500, "nobody was closed"
        assert (await talk.say(f"{number} {_LARGE}"[:4_000])).ok
    await _closed_in_order(slow, talk)


async def test_a_client_that_takes_nothing_for_long_is_closed_with_4302_and_holds_up_nobody(
    system: System, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    gateway = system.new_gateway("roomy")
    await asyncio.to_thread(gateway.start, KLATSCH_OUTBOX_BYTES=str(2**28), KLATSCH_STALL_SECONDS="3")
    slow = await _stalled(talk, gateway, connect)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for number in range(300):  # 5 MB: more than the kernel takes
        assert (await talk.say(f"{number} {_LARGE}"[:4_000])).ok
    await asyncio.to_thread(wait_until, lambda: _closed_with(gateway, 4302), "the slow one is closed")
    assert loop.time() - began_s > 3
    await _closed_in_order(slow, talk)


async def test_a_client_that_does_not_answer_pings_is_closed_with_1011_and_one_that_does_stays(
    system: System, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    gateway = system.new_gateway("pinging")
    await asyncio.to_thread(gateway.start, KLATSCH_PING_SECONDS="3")
    answering, silent = [await connect(gateway, talk.people[1]) for _ in range(2)]
    silent.stop_reading()
    await asyncio.to_thread(wait_until, lambda: _closed_with(gateway, 1011), "the silent one is closed")
    silent.read_on()
    assert await silent.until_closed() == 1011
    assert (await talk.say("after")).ok
    await answering.received("after")
    assert len(_closed_with(gateway, 1011)) == 1


async def _stalled(talk: Talk, gateway: GatewayProcess, connect: Open) -> Client:
    """Opens another connection of the reader, which takes nothing any more."""
    slow = await connect(gateway, talk.people[1], receive_buffer_bytes=4_096)
    slow.stop_reading()
    return slow


def _closed_with(gateway: GatewayProcess, code: int) -> list[object]:
    return [event for event in gateway.events("closed") if event["code"] == code]


async def _closed_in_order(slow: Client, talk: Talk) -> None:
    """Reads on: the beginning of the conversation comes, without a gap, and then the close.

    A second after its close, a gateway cuts off who has not taken it: a client on a busy machine is too late for it.
    """
    slow.read_on()
    assert await slow.until_closed() in {4302, 1006}
    rows = await talk.check()
    assert 0 < len(slow.history.messages) < len(rows) - 1
    assert slow.history.contents == [row.content for row in rows[1 : len(slow.history.messages) + 1]]
