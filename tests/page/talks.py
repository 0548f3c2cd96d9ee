"""Conversations with a past, written in the names of people."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from klatsch_client import Client, Sent, Settings, State
from tests.page.people import Person
from tests.support.process import wait_until

_WRITE_S: Final = 120


class Talk:
    """A direct conversation of two people. `ids` and `positions` are of its messages, in their order."""

    def __init__(self, one: Person, other: Person) -> None:
        self.people = (one, other)
        self.ids: list[str] = []
        self.positions: list[str] = []
        self.id = ""

    def say(self, writer: Person, content: str, **more: Any) -> dict[str, Any]:
        """Writes a message, and returns it."""
        body = {"content": content, "client_id": f"talk-{len(self.ids)}", **more}
        sent: dict[str, Any] = writer.ask("POST", f"users/{self._reader(writer)}/messages", body)
        self.id = sent["conversation"]
        self._note(sent)
        return sent

    def fill(self, writer: Person, count: int) -> None:
        """Writes `line 0`, `line 1` and so on."""
        self.write_all(writer, [f"line {number}" for number in range(count)])

    def write_all(self, writer: Person, texts: Sequence[str]) -> None:
        """Writes these messages in their order, whatever fails, and waits until the archive has them."""
        token = writer.ask("POST", "auth/tokens", {})["token"]
        assert writer.member is not None
        address = writer.member.origin.replace("http", "ws") + "/ws"
        with ThreadPoolExecutor(1) as thread:  # Playwright's own loop runs in this one
            writing = _write(address, token, self._reader(writer), texts)
            sent = thread.submit(asyncio.run, writing).result(_WRITE_S)
        for one in sent:
            self._note({"id": one.id, "position": str(one.position)})
        if not self.id:
            path = f"users/{self._reader(writer)}/messages?limit=1&at_least={self.positions[-1]}"
            self.id = writer.ask("GET", path)["results"][0]["conversation"]
        writer.ask("GET", f"conversations/{self.id}/messages?limit=1&at_least={self.positions[-1]}")

    def mark_read(self, reader: Person, number: int) -> None:
        """Marks the messages up to that one as read, and waits until the archive has it."""
        position = self.positions[number]
        reader.ask("PUT", f"conversations/{self.id}/markers", {"read": position})

        def is_stored() -> bool:
            found = reader.ask("GET", f"conversations/{self.id}")
            return bool(found["markers"]["read"] == position)

        wait_until(is_stored, "the mark in the archive")

    def _reader(self, writer: Person) -> str:
        (reader,) = [person for person in self.people if person is not writer]
        return reader.username

    def _note(self, sent: dict[str, Any]) -> None:
        self.ids.append(sent["id"])
        self.positions.append(sent["position"])


async def _write(address: str, token: str, to: str, texts: Sequence[str]) -> list[Sent]:
    async with Client(address, token=token, state=State(), settings=Settings(window=1)) as chat:
        return list(await asyncio.gather(*(chat.send(text, to=to) for text in texts)))
