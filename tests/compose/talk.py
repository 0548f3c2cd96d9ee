"""People who talk through the proxy: over REST, and with the Python client, which never gives up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from klatsch_client import Client, Settings, State

_PATIENCE_S = 30
_QUICK = Settings(reconnect_first_s=0.1, reconnect_most_s=1.0)


class Place(Protocol):
    """An installation, by its addresses."""

    @property
    def url(self) -> str: ...
    @property
    def socket_url(self) -> str: ...


class Inhabited(Place, Protocol):
    """An installation that makes people."""

    def people(self, count: int) -> list[dict[str, str]]: ...


def rest(stack: Place, person: dict[str, str], **more: Any) -> httpx.Client:
    """Opens somebody's REST client."""
    headers = {"Authorization": f"Bearer {person['token']}"}
    return httpx.Client(base_url=f"{stack.url}/api/v1/", headers=headers, timeout=30, trust_env=False, **more)


def ask(http: httpx.Client, path: str) -> dict[str, Any]:
    """Returns a page, asked for again as long as the answer is "come again later"."""
    until_s = time.monotonic() + _PATIENCE_S
    while (answer := http.get(path)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert time.monotonic() < until_s, answer.text
        time.sleep(0.2)
    assert answer.status_code == httpx.codes.OK, answer.text
    page: dict[str, Any] = answer.json()
    return page


def history(stack: Place, person: dict[str, str], other: dict[str, str]) -> list[tuple[int, str, str]]:
    """Returns number, id and text of all that two have said, oldest first."""
    return [(row["seq"], row["id"], row["content"]) for row in rows_of(stack, person, other)]


def rows_of(stack: Place, person: dict[str, str], other: dict[str, str]) -> list[dict[str, Any]]:
    """Returns all messages of two people, oldest first, as the archive has them."""
    with rest(stack, person) as http:
        page = ask(http, f"users/{other['username']}/messages?limit=100")
        rows: list[dict[str, Any]] = page["results"]
        while page["next"]:
            page = ask(http, page["next"])
            rows += page["results"]
    return rows[::-1]


def archived(stack: Place, person: dict[str, str], other: dict[str, str]) -> int:
    """Returns the number of the last message of two in the archive."""
    with rest(stack, person) as http:
        rows = ask(http, f"users/{other['username']}/messages?limit=1")["results"]
    return int(rows[0]["seq"]) if rows else 0


async def until(condition: Callable[[], object], what: str, deadline_s: float = 90) -> None:
    """Returns when the condition holds; fails saying what did not come to be."""
    until_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until_s, f"not within {deadline_s} s: {what}"
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Conversation:
    """`writer` says numbers one after the other; what was acknowledged and what `reader` was told is kept, in order."""

    writer: Client
    reader: Client
    to: str
    acknowledged: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def write(self, stop: asyncio.Event) -> None:
        """Says more until told to stop; each until it stands in the log."""
        while not stop.is_set():
            text = f"number {len(self.acknowledged)}"
            await self.writer.send(text, to=self.to)
            self.acknowledged.append(text)
            await asyncio.sleep(0.01)

    async def read(self) -> None:
        async for event in self.reader.messages():
            self.told.append(event.content)

    async def drain(self) -> None:
        """Takes a client's own events too."""
        async for _ in self.writer.events():
            pass


@asynccontextmanager
async def talking(place: Place, ana: dict[str, str], bob: dict[str, str]) -> AsyncIterator[Conversation]:
    """Connects two people, the first of whom writes; at the end all that was acknowledged was told once, in order."""
    stop = asyncio.Event()
    async with (
        Client(place.socket_url, token=ana["token"], state=State(), settings=_QUICK) as writer,
        Client(place.socket_url, token=bob["token"], state=State(), settings=_QUICK) as reader,
    ):
        talk = Conversation(writer, reader, bob["username"])
        reading, taking = asyncio.create_task(talk.read()), asyncio.create_task(talk.drain())
        await reader.wait_connected()
        writing = asyncio.create_task(talk.write(stop))
        try:
            await until(lambda: len(talk.told) >= 5, "five messages have arrived")
            yield talk
            stop.set()
            await asyncio.wait_for(writing, 90)
            await until(lambda: len(talk.told) >= len(talk.acknowledged), "all have arrived")
        finally:
            for task in (reading, taking, writing):
                task.cancel()
    assert talk.told == talk.acknowledged


@asynccontextmanager
async def conversation(stack: Inhabited) -> AsyncIterator[Conversation]:
    """Lets two new people talk (see `talking`), and compares with the archive too.

    Nothing is lost, nothing is there twice, and all is in the order in which it was said.
    """
    ana, bob = await asyncio.to_thread(stack.people, 2)
    async with talking(stack, ana, bob) as talk:
        yield talk
    await until(lambda: archived(stack, ana, bob) >= len(talk.acknowledged), "all are archived")
    rows = await asyncio.to_thread(history, stack, ana, bob)
    assert [text for _, _, text in rows] == talk.acknowledged
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
