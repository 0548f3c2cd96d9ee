"""Applications of the client library, which keep what they are told, and what they must have in the end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from klatsch_client import Changed, Client, Message, Reset, Sent, Settings, State, View
from tests.e2e.histories import archived, order
from tests.e2e.rest import Rest
from tests.support.process import HOST, GatewayProcess
from tests.support.system import Person, System

_DEADLINE_S = 60.0
QUICK = Settings(reconnect_first_s=0.1, reconnect_most_s=1.0)
IN_ORDER = Settings(window=1, reconnect_first_s=0.1, reconnect_most_s=1.0)
Row = tuple[str, str, str]


def url_of(gateway: GatewayProcess) -> str:
    return f"ws://{HOST}:{gateway.port}/ws"


class Application(Protocol):
    """An application of the client library, which saves the client's state and takes its events."""

    saved: str

    async def read(self, chat: Client) -> None:
        """Takes the events of a client until it is closed."""


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
        """Keeps what an answer told."""
        self.rows[sent.id] = (sent.id, sent.draft.content, str(sent.position))
        self.news.set()

    @property
    def view(self) -> list[Row]:
        """Returns the conversation as this application shows it."""
        return sorted(self.rows.values(), key=lambda row: order(row[2]))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await wait_for_news(self.news, condition, lambda: f"{what}; have {len(self.rows)}")


async def wait_for_news(news: asyncio.Event, condition: Callable[[], object], what: Callable[[], str]) -> None:
    """Returns when the condition holds, looking at it whenever there is news; fails at the deadline."""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            while not condition():
                news.clear()
                await news.wait()
    except TimeoutError:
        raise AssertionError(f"not within {_DEADLINE_S} s: {what()}") from None


@contextlib.asynccontextmanager
async def open_client(
    gateway: GatewayProcess,
    person: Person,
    application: Application,
    settings: Settings = QUICK,
    view: View | None = None,
) -> AsyncIterator[Client]:
    """Connects a client with what the application saved last, and runs the application's loop."""
    state = State.from_json(application.saved)
    async with Client(url_of(gateway), token=person.token, state=state, settings=settings, view=view) as chat:
        reading = asyncio.create_task(application.read(chat))
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await chat.wait_connected()
            yield chat
        finally:
            await chat.close()
            await reading


async def say(chat: Client, reader: Reader, texts: Iterator[str], to: str) -> None:
    for text in texts:
        reader.add(await chat.send(text, to=to))


def texts_of(name: str, done: asyncio.Event) -> Iterator[str]:
    """Yields numbered texts until it is done."""
    number = 0
    while not done.is_set():
        number += 1
        yield f"{name} {number}"


async def check_equal(system: System, api: Rest, *readers: Reader) -> list[Row]:
    """Checks that the archive's rows, REST's history and every reader's view are the same. Returns the rows."""
    await asyncio.to_thread(system.wait_archived)
    [conversation] = {message.conversation for reader in readers for message in reader.told}
    rows = [(row.id, row.content, row.position) for row in archived(system, conversation)]
    history = await api.history(f"conversations/{conversation}/messages")
    assert [(m["id"], m["content"], m["position"]) for m in history] == rows
    for number, reader in enumerate(readers):
        await reader.until(lambda r=reader: len(r.rows) >= len(rows), f"reader {number} has all {len(rows)}")  # type: ignore[misc]  # bound as a default
        assert reader.view == rows
    return rows


def cut(chat: Client) -> None:
    """Takes the network away, from one moment to the next."""
    connection = chat._keeper._connection
    if connection is not None:
        connection._socket.transport.abort()


async def more(readers: tuple[Reader, ...], count: int) -> None:
    for reader in readers:
        most = len(reader.rows) + count
        await reader.until(lambda r=reader, m=most: len(r.rows) >= m, f"{count} more")  # type: ignore[misc]  # bound as defaults
