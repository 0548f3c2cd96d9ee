"""The client library against real gateways: after faults its applications have what the server has, once."""

import asyncio
import time

import pytest

from klatsch_client import Client, NotAuthenticated, Refused, Settings, State, Stopped
from tests.e2e.conftest import OpenRest
from tests.e2e.readers import IN_ORDER, Reader, check_equal, cut, more, open_client, say, texts_of, url_of
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_after_faults_the_state_of_every_client_is_the_servers(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
) -> None:
    one, other, done = Reader(), Reader(), asyncio.Event()
    both = (one, other)
    async with open_client(gateway_a, ana, one) as anas, open_client(gateway_b, bob, other) as bobs:
        async with asyncio.TaskGroup() as group:
            for chat, reader, name, to in ((anas, one, "ana", bob), (bobs, other, "bob", ana)):
                for writer in range(3):
                    texts = texts_of(f"{name} {writer}", done)
                    group.create_task(say(chat, reader, texts, to.username))
            await more(both, 30)
            cut(anas)
            await more(both, 30)
            gateway_a.kill()
            await more((other,), 30)
            cut(bobs)
            await asyncio.to_thread(gateway_a.start)
            await more(both, 30)
            gateway_b.kill()
            await asyncio.to_thread(gateway_b.start)
            await more(both, 30)
            done.set()
        rows = await check_equal(system, rest(gateway_b, bob), one, other)
    assert len(rows) > 150
    assert not anas.state.unfinished
    assert not bobs.state.unfinished


async def test_a_client_that_is_dropped_and_restored_from_what_it_saved_gets_exactly_what_it_missed(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
) -> None:
    one, other, done = Reader(), Reader(), asyncio.Event()
    async with open_client(gateway_a, ana, one) as anas:
        async with asyncio.TaskGroup() as group:
            for gateway in (gateway_b, gateway_a, gateway_b):
                async with open_client(gateway, bob, other) as bobs:
                    if not one.rows:
                        group.create_task(say(anas, one, texts_of("ana", done), bob.username))
                    await more((one, other), 25)
                    cut(bobs)
                    await more((one, other), 25)
                await more((one,), 25)
            done.set()
        async with open_client(gateway_b, bob, other):
            rows = await check_equal(system, rest(gateway_b, bob), one, other)
    assert [message.id for message in other.told] == [row[0] for row in rows], "in the conversation's order"


@pytest.mark.parametrize("spoil", ["somebody else's", "of another log"])
async def test_with_a_token_that_is_of_no_use_the_histories_are_loaded_and_nothing_is_told_twice(
    system: System,
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    rest: OpenRest,
    spoil: str,
) -> None:
    one, other = Reader(), Reader()
    async with open_client(gateway_a, ana, one) as anas:
        async with open_client(gateway_b, bob, other):
            for number in range(10):
                one.add(await anas.send(f"before {number}", to=bob.username))
            await other.until(lambda: len(other.rows) == 10, "the first ten")
        sending = [asyncio.create_task(anas.send(f"missed {number}", to=bob.username)) for number in range(250)]
        for sent in await asyncio.gather(*sending):
            one.add(sent)
        state = State.from_json(other.saved)
        assert state.token is not None
        epoch, user, rest_of_it = state.token.split(".", 2)
        state.token = f"{epoch}.{'0' * 16}.{rest_of_it}" if spoil == "somebody else's" else f"9.{user}.{rest_of_it}"
        other.saved = state.to_json()
        async with open_client(gateway_b, bob, other):
            rows = await check_equal(system, rest(gateway_b, bob), one, other)
    [reset] = other.resets
    assert reset.reloading
    assert reset.why == ("too_far_behind" if spoil == "somebody else's" else "unknown_epoch")
    assert [message.id for message in other.told] == [row[0] for row in rows], "in the conversation's order"


async def test_what_was_not_answered_before_a_restart_is_sent_after_it_once(
    system: System, gateway_b: GatewayProcess, persister: PersisterProcess, ana: Person, bob: Person, rest: OpenRest
) -> None:
    one, other = Reader(), Reader()
    gateway = system.new_gateway("frail")
    await asyncio.to_thread(gateway.start)
    async with open_client(gateway_b, bob, other):
        async with open_client(gateway, ana, one, IN_ORDER) as before:
            one.add(await before.send("first", to=bob.username))
            gateway.kill()
            sending = [asyncio.create_task(before.send(f"text {n}", to=bob.username)) for n in range(20)]
            await asyncio.sleep(0)  # each has begun
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            one.saved = before.state.to_json()
        async with open_client(gateway_b, ana, one, IN_ORDER):
            await one.until(lambda: len(one.rows) == 21, "all are sent")
        rows = await check_equal(system, rest(gateway_b, bob), one, other)
    assert [row[1] for row in rows] == ["first", *(f"text {n}" for n in range(20))]


async def test_with_a_window_of_one_the_order_survives_killed_gateways(
    system: System, gateway_b: GatewayProcess, persister: PersisterProcess, ana: Person, bob: Person, rest: OpenRest
) -> None:
    one, other = Reader(), Reader()
    gateway = system.new_gateway("frail")
    await asyncio.to_thread(gateway.start)
    async with open_client(gateway_b, bob, other), open_client(gateway, ana, one, IN_ORDER) as anas:
        sending = [asyncio.create_task(anas.send(f"text {n}", to=bob.username)) for n in range(400)]
        for _ in range(2):
            await more((other,), 20)
            gateway.kill()
            await asyncio.to_thread(gateway.start)
        for sent in await asyncio.gather(*sending):
            one.add(sent)
        rows = await check_equal(system, rest(gateway_b, bob), one, other)
    assert [row[1] for row in rows] == [f"text {n}" for n in range(400)]


async def test_an_application_that_is_slow_while_it_sends_gets_everything_and_blocks_nobody(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess,
    ana: Person, bob: Person, rest: OpenRest,
) -> None:  # fmt: skip
    one, other = Reader(), Reader()
    narrow = Settings(events_most=5, reconnect_first_s=0.1, reconnect_most_s=1.0)
    async with open_client(gateway_b, bob, other) as bobs:
        async with Client(url_of(gateway_a), token=ana.token, settings=narrow) as anas:
            await anas.wait_connected()
            for number in range(50):  # nobody takes what comes to ana
                other.add(await bobs.send(f"text {number}", to=ana.username))
            began_s = time.monotonic()
            for number in range(5):
                one.add(await anas.send(f"answer {number}", to=bob.username))
            assert time.monotonic() - began_s < 10
            reading = asyncio.create_task(one.read(anas))
            rows = await check_equal(system, rest(gateway_b, bob), one, other)
            assert len(rows) == 55
        await reading


async def test_what_can_never_succeed_is_an_error_with_its_code(
    gateway_a: GatewayProcess, ana: Person, bob: Person
) -> None:
    async with Client(url_of(gateway_a), token=ana.token) as chat:
        for text, to, code in (("", bob.username, "invalid_content"), ("x", "nobody-of-that-name", "not_found")):
            with pytest.raises(Refused) as refused:
                await chat.send(text, to=to)
            assert refused.value.code == code
        assert not chat.state.unfinished
    async with Client(url_of(gateway_a), token="no-token") as stranger:
        with pytest.raises(NotAuthenticated) as stopped:
            await stranger.send("hi", to=ana.username)
        assert stopped.value.code == 4401
        with pytest.raises(NotAuthenticated):
            await anext(stranger.events())
        assert len(stranger.state.unfinished) == 1


async def test_a_state_of_somebody_else_stops_the_client(gateway_a: GatewayProcess, ana: Person, bob: Person) -> None:
    state = State()
    state.user = bob.username
    async with Client(url_of(gateway_a), token=ana.token, state=state) as chat:
        with pytest.raises(Stopped, match=bob.username):
            await chat.wait_connected()
