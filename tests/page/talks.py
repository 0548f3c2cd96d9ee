"""Conversations with a past, written in the names of people."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.page.people import Person
from tests.support.process import wait_until

_LATER: Final = 503
_WINDOW: Final = 50
"""Sends without an answer; the server allows 64."""
_ANSWER_S: Final = 60


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
        sent: dict[str, Any] = ask_patiently(writer, "POST", f"users/{self._reader(writer)}/messages", body)
        self.id = sent["conversation"]
        self._note(sent)
        return sent

    def fill(self, writer: Person, count: int) -> None:
        """Writes `line 0`, `line 1` and so on."""
        self.write_all(writer, [f"line {number}" for number in range(count)])

    def write_all(self, writer: Person, texts: Sequence[str]) -> None:
        """Writes these messages, many at once, and waits until the archive has them."""
        begin = len(self.ids)
        self.say(writer, texts[0])
        to = self._reader(writer)
        with _socket(writer) as socket:
            for first in range(1, len(texts), _WINDOW):
                numbers = range(first, min(first + _WINDOW, len(texts)))
                for number in numbers:
                    body = {"to": to, "content": texts[number], "client_id": f"many-{begin}-{number}"}
                    socket.send(json.dumps({"id": number, "op": "send", "d": body}))
                answers = _answers(socket, set(numbers))
                for number in numbers:
                    self._note(answers[number])
        ask_patiently(writer, "GET", f"conversations/{self.id}/messages?limit=1&at_least={self.positions[-1]}")

    def mark_read(self, reader: Person, number: int) -> None:
        """Marks the messages up to that one as read, and waits until the archive has it."""
        position = self.positions[number]
        ask_patiently(reader, "PUT", f"conversations/{self.id}/markers", {"read": position})

        def is_stored() -> bool:
            found = ask_patiently(reader, "GET", f"conversations/{self.id}")
            return bool(found["markers"]["read"] == position)

        wait_until(is_stored, "the mark in the archive")

    def _reader(self, writer: Person) -> str:
        (reader,) = [person for person in self.people if person is not writer]
        return reader.username

    def _note(self, sent: dict[str, Any]) -> None:
        self.ids.append(sent["id"])
        self.positions.append(sent["position"])


def ask_patiently(person: Person, method: str, path: str, body: Any = None) -> Any:
    """Makes a request in a person's name until the server is not busy; it must be harmless to repeat."""
    assert person.member is not None
    rest: httpx.Client = person.member.rest
    headers = {"X-CSRFToken": rest.cookies.get("csrftoken") or "", "Origin": person.member.origin}
    answers: list[httpx.Response] = []

    def is_answered() -> bool:
        answers.append(rest.request(method, path, json=body, headers=headers))
        return answers[-1].status_code != _LATER

    wait_until(is_answered, f"an answer to {method} {path}")
    assert answers[-1].is_success, f"{method} {path}: {answers[-1].status_code} {answers[-1].text}"
    return answers[-1].json() if answers[-1].content else None


@contextlib.contextmanager
def _socket(person: Person) -> Iterator[ClientConnection]:
    assert person.member is not None
    ticket = ask_patiently(person, "POST", "auth/ticket")["ticket"]
    address = person.member.origin.replace("http", "ws") + "/ws"
    offered = [Subprotocol("klatsch.v1"), Subprotocol(f"ticket.{ticket}")]
    with connect(address, subprotocols=offered, proxy=None) as socket:
        socket.send(json.dumps({"id": 0, "op": "hello", "d": {"resume": None}}))
        yield socket


def _answers(socket: ClientConnection, wanted: set[int]) -> dict[int, dict[str, Any]]:
    """Waits for the answers to these requests, which must be `ok`."""
    found: dict[int, dict[str, Any]] = {}
    while wanted - found.keys():
        frame = json.loads(socket.recv(_ANSWER_S))
        if frame.get("re") in wanted:
            found[frame["re"]] = frame["ok"]
    return found
