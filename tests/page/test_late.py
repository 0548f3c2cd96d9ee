"""Answers that come after what asked for them is another one, and what outlives its view."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.page.people import DEADLINE_MS, Person
from tests.page.steps import bubble, texts
from tests.page.talks import Talk


@pytest.fixture
def talk(ana: Person, bob: Person) -> Talk:
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    return talk


class Silence:
    """Holds back what the page says to the gateway, its hello included, until `end`."""

    def __init__(self, page: Page) -> None:
        self._frames: list[str | bytes] | None = []
        self._server: WebSocketRoute | None = None
        page.route_web_socket("**/ws", self._join)

    def _join(self, socket: WebSocketRoute) -> None:
        self._server = socket.connect_to_server()
        socket.on_message(self._take)

    def _take(self, frame: str | bytes) -> None:
        if self._frames is not None:
            self._frames.append(frame)
        elif self._server is not None:
            self._server.send(frame)

    def end(self) -> None:
        frames, self._frames = self._frames or [], None
        for frame in frames:
            self._take(frame)


def wait_for(page: Page, is_so: Callable[[], object], what: str) -> None:
    """Waits until something is so, while the page goes on."""
    end = time.monotonic() + DEADLINE_MS / 1_000
    while not is_so():
        assert time.monotonic() < end, what
        page.wait_for_timeout(20)


def test_what_was_stored_between_the_first_page_and_the_first_mark_is_there_whatever_comes_late_or_fails(
    ana: Person, bob: Person, talk: Talk
) -> None:
    page = ana.page
    silence = Silence(page)
    first: list[tuple[Route, dict[str, Any]]] = []
    later: list[str] = []

    def answer(route: Route) -> None:
        if "at_least" not in route.request.url:
            first.append((route, route.fetch().json()))
            return
        later.append(route.request.url)
        if len(later) == 1:
            route.fulfill(status=503, body="{}")
        else:
            route.continue_()

    page.route(f"**/conversations/{talk.id}/messages*", answer)
    ana.open(f"/#/c/{talk.id}")
    wait_for(page, lambda: first, "the first page was asked for")
    talk.say(bob, "stored meanwhile")
    ((route, body),) = first
    with page.expect_request("**/conversations?*at_least=*"):
        silence.end()
    route.fulfill(body=json.dumps(body), content_type="application/json")
    expect(bubble(page, "hello")).to_be_visible()
    expect(bubble(page, "stored meanwhile")).to_be_visible()
    assert texts(page) == ["hello", "stored meanwhile"]
