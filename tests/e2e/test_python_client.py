"""The client library against real gateways: after faults its applications have what the server has, once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from klatsch.client import Changed, Client, Message, NotAuthenticated, Refused, Reset, Sent, Settings, State, Stopped
from tests.e2e.conftest import OpenRest
from tests.e2e.histories import archived, order
from tests.e2e.process import HOST, GatewayProcess, PersisterProcess
from tests.e2e.rest import Rest
from tests.e2e.system import Person, System

_DEADLINE_S = 60.0
_QUICK = Settings(reconnect_first_s=0.1, reconnect_most_s=1.0)
_IN_ORDER = Settings(window=1, reconnect_first_s=0.1, reconnect_most_s=1.0)
Row = tuple[str, str, str]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the environment of a developer's machine."""
    monkeypatch.setenv("no_proxy", HOST)


def _url(gateway: GatewayProcess) -> str:
    return f"ws://{HOST}:{gateway.port}/ws"


@dataclass(slots=True)
class Reader:
    """An application that keeps what it is told and saves its state with each event; it fails at what is told twice."""

    rows: dict[str, Row] = field(default_factory=dict)
    told: list[Message] = field(default_factory=list)
    resets: list[Reset] = field(default_factory=list)
    saved: str = field(default_factory=lambda: State().to_json())
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, chat: Client) -> None:
        async for event in chat.events():
            match event:
                case Message():
                    assert event.id not in {message.id for message in self.told}, f"told twice: {event}"
                    self.told.append(event)
                    self.rows[event.id] = (event.id, event.content, str(event.position))
                case Changed(message):
                    assert message.id in self.rows, f"changed before it was told: {message}"
                case Sent():
                    self.add(event)
                case Reset():
                    self.resets.append(event)
            self.saved = chat.state.to_json()
            self.news.set()

    def add(self, sent: Sent) -> None:
        """What an answer told."""
        self.rows[sent.id] = (sent.id, sent.draft.content, str(sent.position))
        self.news.set()

    @property
    def view(self) -> list[Row]:
        """The conversation as this application shows it."""
        return sorted(self.rows.values(), key=lambda row: order(row[2]))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while not condition():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise AssertionError(f"not within {_DEADLINE_S} s: {what}; have {len(self.rows)}") from None


@contextlib.asynccontextmanager
async def open_client(
    gateway: GatewayProcess, person: Person, reader: Reader, settings: Settings = _QUICK
) -> AsyncIterator[Client]:
    """A connected client of what the reader saved last, and its loop."""
    state = State.from_json(reader.saved)
    async with Client(_url(gateway), token=person.token, state=state, settings=settings) as chat:
        reading = asyncio.create_task(reader.read(chat))
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await chat.wait_connected()
            yield chat
        finally:
            await chat.close()
            await reading


async def _say(chat: Client, reader: Reader, texts: Iterator[str], to: str) -> None:
    for text in texts:
        reader.add(await chat.send(text, to=to))


def _texts(name: str, done: asyncio.Event) -> Iterator[str]:
    """Until it is done."""
    number = 0
    while not done.is_set():
        number += 1
        yield f"{name} {number}"


async def _check_equal(system: System, api: Rest, *readers: Reader) -> list[Row]:
    """The archive's rows, REST's history and every reader's view are the same."""
    await asyncio.to_thread(system.wait_archived)
    [conversation] = {message.conversation for reader in readers for message in reader.told}
    rows = [(row.id, row.content, row.position) for row in archived(system, conversation)]
    history = await api.history(f"conversations/{conversation}/messages")
    assert [(m["id"], m["content"], m["position"]) for m in history] == rows
    for number, reader in enumerate(readers):
        await reader.until(lambda r=reader: len(r.rows) >= len(rows), f"reader {number} has all {len(rows)}")  # type: ignore[misc]  # bound as a default
        assert reader.view == rows
    return rows


def _cut(chat: Client) -> None:
    """The network is gone, from one moment to the next."""
    connection = chat._keeper._connection
    if connection is not None:
        connection._socket.transport.abort()


async def _more(readers: tuple[Reader, ...], count: int) -> None:
    for reader in readers:
        most = len(reader.rows) + count
        await reader.until(lambda r=reader, m=most: len(r.rows) >= m, f"{count} more")  # type: ignore[misc]  # bound as defaults


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
                    texts = _texts(f"{name} {writer}", done)
                    group.create_task(_say(chat, reader, texts, to.username))
            await _more(both, 30)
            _cut(anas)
            await _more(both, 30)
            gateway_a.kill()
            await _more((other,), 30)
            _cut(bobs)
            await asyncio.to_thread(gateway_a.start)
            await _more(both, 30)
            gateway_b.kill()
            await asyncio.to_thread(gateway_b.start)
            await _more(both, 30)
            done.set()
        rows = await _check_equal(system, rest(gateway_b, bob), one, other)
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
                        group.create_task(_say(anas, one, _texts("ana", done), bob.username))
                    await _more((one, other), 25)
                    _cut(bobs)
                    await _more((one, other), 25)
                await _more((one,), 25)
            done.set()
        async with open_client(gateway_b, bob, other):
            rows = await _check_equal(system, rest(gateway_b, bob), one, other)
    assert [message.id for message in other.told] == [row[0] for row in rows], "in the conversation's order"


async def test_what_was_not_answered_before_a_restart_is_sent_after_it_once(
    system: System, gateway_b: GatewayProcess, persister: PersisterProcess, ana: Person, bob: Person, rest: OpenRest
) -> None:
    one, other = Reader(), Reader()
    gateway = system.new_gateway("frail")
    await asyncio.to_thread(gateway.start)
    async with open_client(gateway_b, bob, other):
        async with open_client(gateway, ana, one, _IN_ORDER) as before:
            one.add(await before.send("first", to=bob.username))
            gateway.kill()
            sending = [asyncio.create_task(before.send(f"text {n}", to=bob.username)) for n in range(20)]
            await asyncio.sleep(0)  # each has begun
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            one.saved = before.state.to_json()
        async with open_client(gateway_b, ana, one, _IN_ORDER):
            await one.until(lambda: len(one.rows) == 21, "all are sent")
        rows = await _check_equal(system, rest(gateway_b, bob), one, other)
    assert [row[1] for row in rows] == ["first", *(f"text {n}" for n in range(20))]


async def test_with_a_window_of_one_the_order_survives_killed_gateways(
    system: System, gateway_b: GatewayProcess, persister: PersisterProcess, ana: Person, bob: Person, rest: OpenRest
) -> None:
    one, other = Reader(), Reader()
    gateway = system.new_gateway("frail")
    await asyncio.to_thread(gateway.start)
    async with open_client(gateway_b, bob, other), open_client(gateway, ana, one, _IN_ORDER) as anas:
        sending = [asyncio.create_task(anas.send(f"text {n}", to=bob.username)) for n in range(400)]
        for _ in range(2):
            await _more((other,), 20)
            gateway.kill()
            await asyncio.to_thread(gateway.start)
        for sent in await asyncio.gather(*sending):
            one.add(sent)
        rows = await _check_equal(system, rest(gateway_b, bob), one, other)
    assert [row[1] for row in rows] == [f"text {n}" for n in range(400)]


async def test_an_application_that_is_slow_while_it_sends_gets_everything_and_blocks_nobody(
    system: System, gateway_a: GatewayProcess, gateway_b: GatewayProcess, persister: PersisterProcess,
    ana: Person, bob: Person, rest: OpenRest,
) -> None:  # fmt: skip
    one, other = Reader(), Reader()
    narrow = Settings(events_most=5, reconnect_first_s=0.1, reconnect_most_s=1.0)
    async with open_client(gateway_b, bob, other) as bobs:
        async with Client(_url(gateway_a), token=ana.token, settings=narrow) as anas:
            await anas.wait_connected()
            for number in range(50):  # nobody takes what comes to ana
                other.add(await bobs.send(f"text {number}", to=ana.username))
            began_s = time.monotonic()
            for number in range(5):
                one.add(await anas.send(f"answer {number}", to=bob.username))
            assert time.monotonic() - began_s < 10
            reading = asyncio.create_task(one.read(anas))
            rows = await _check_equal(system, rest(gateway_b, bob), one, other)
            assert len(rows) == 55
        await reading


async def test_what_can_never_succeed_is_an_error_with_its_code(
    gateway_a: GatewayProcess, ana: Person, bob: Person
) -> None:
    async with Client(_url(gateway_a), token=ana.token) as chat:
        for text, to, code in (("", bob.username, "invalid_content"), ("x", "nobody-of-that-name", "not_found")):
            with pytest.raises(Refused) as refused:
                await chat.send(text, to=to)
            assert refused.value.code == code
        assert not chat.state.unfinished
    async with Client(_url(gateway_a), token="no-token") as stranger:
        with pytest.raises(NotAuthenticated) as stopped:
            await stranger.send("hi", to=ana.username)
        assert stopped.value.code == 4401
        with pytest.raises(NotAuthenticated):
            await anext(stranger.events())
        assert len(stranger.state.unfinished) == 1


async def test_a_state_of_somebody_else_stops_the_client(gateway_a: GatewayProcess, ana: Person, bob: Person) -> None:
    state = State()
    state.user = bob.username
    async with Client(_url(gateway_a), token=ana.token, state=state) as chat:
        with pytest.raises(Stopped, match=bob.username):
            await chat.wait_connected()
