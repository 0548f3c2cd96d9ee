"""Requests that wait for the log hold none of PostgreSQL's connections, however many they are."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from klatsch.eventlog import outbox
from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryWriter
from tests.integration.chat import Chat
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

POOL: int = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]
PEOPLE = POOL + 4


class WaitingWriter(MemoryWriter):
    """Takes what is appended, and appends it when it is told to go on."""

    def __init__(self, chat: Chat) -> None:
        super().__init__(chat.log)
        self._held: list[tuple[Entry, Callable[[Report], None] | None]] | None = []
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        return len(self._held or ())

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        with self._lock:
            if self._held is not None:
                self._held.append((entry, report))
                return
        super().append(entry, report)

    def go_on(self) -> None:
        with self._lock:
            held, self._held = self._held, None
        for entry, report in held or ():
            super().append(entry, report)


@pytest.fixture
def chat() -> Chat:
    chat = Chat()
    chat.archiving = False
    chat.join("bob", *(f"ana{number}" for number in range(PEOPLE)))
    return chat


@pytest.fixture
def in_threads() -> Iterator[Callable[..., Any]]:
    """Runs a function on a thread and a connection of its own."""

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PEOPLE + 1) as threads:
        yield lambda *call: threads.submit(run, *call)


def write_first(chat: Chat, name: str) -> Any:
    return chat.ask(name, "POST", "users/bob/messages", {"content": "hello"})


def make_group(chat: Chat, name: str) -> Any:
    return chat.ask(name, "POST", "conversations", {"title": "Tea", "members": ["bob"]})


@pytest.mark.parametrize("act", [write_first, make_group])
def test_while_more_requests_than_connections_wait_for_the_log_others_read(
    chat: Chat, in_threads: Callable[..., Any], act: Callable[[Chat, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "RELAY_AT_ONCE_S", 60)
    chat.writer = writer = WaitingWriter(chat)
    waiting = [in_threads(act, chat, f"ana{number}") for number in range(PEOPLE)]
    try:
        wait_until(lambda: writer.held == PEOPLE)
        me = in_threads(chat.ask, "bob", "GET", "me").result()
        done = [answer for answer in waiting if answer.done()]
    finally:
        writer.go_on()
    assert (me.status_code, me.json()["username"], done) == (200, "bob", [])
    assert {answer.result().status_code for answer in waiting} <= {201, 202}
