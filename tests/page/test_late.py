"""Answers that come after what asked for them is another one, and what outlives its view."""

import json
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.page.people import DEADLINE_MS, People, Person
from tests.page.steps import bubble, choose, composer, open_conversation, row, texts
from tests.page.talks import Talk
from tests.page.test_presence_and_tabs import NOTIFICATIONS


class Silence:
    """Holds back what the page says to the gateway, from `begin` or its start until `end`: its hello too."""

    def __init__(self, page: Page, *, is_on: bool = True) -> None:
        self._frames: list[str | bytes] | None = [] if is_on else None
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

    def begin(self) -> None:
        self._frames = []

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


def hold(page: Page, pattern: str) -> list[Route]:
    """Holds back what is asked for at such addresses: the returned routes."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in function
    return held


def test_who_has_gone_elsewhere_is_not_led_back_by_a_late_answer(ana: Person, bob: Person, talk: Talk) -> None:
    talk.say(ana, "good morning")
    page = ana.page
    held = hold(page, "**/api/v1/conversations")
    ana.open("/#/new-group")
    page.get_by_label("Name").fill("Tea round")
    page.get_by_role("button", name="Create group").click()
    wait_for(page, lambda: held, "the group was asked for")
    row(page, bob.username).click()
    expect(bubble(page, "good morning")).to_be_visible()
    with page.expect_response("**/api/v1/conversations"):
        held[0].continue_()
    expect(row(page, "Tea round")).to_be_visible()
    expect(page).to_have_url(f"{ana.site.origin}/#/c/{talk.id}")


def test_pins_that_cannot_be_had_are_told_of_and_those_of_another_conversation_are_not_shown(
    people: People, ana: Person, bob: Person, talk: Talk
) -> None:
    carol = people.member()
    other = Talk(ana, carol)
    other.say(carol, "good evening")
    page = open_conversation(ana, talk.id)
    bob.ask("PUT", f"messages/{talk.ids[0]}/pin")
    pins = page.get_by_role("button", name="1 pinned message")
    expect(pins).to_be_visible()
    with ana.offline():
        pins.click()
        expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    held = hold(page, "**/pins*")
    pins.click()
    wait_for(page, lambda: held, "the pins were asked for")
    row(page, carol.username).click()
    expect(bubble(page, "good evening")).to_be_visible()
    with page.expect_response("**/pins*"):
        held[0].continue_()
    row(page, bob.username).click()
    expect(bubble(page, "hello")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_stands_above_the_page_goes_with_its_view_and_with_the_person(people: People, bob: Person) -> None:
    ana = people.member()
    ana.context.add_init_script(NOTIFICATIONS)
    ana.context.add_init_script("document.hasFocus = () => false")
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    page = open_conversation(ana, talk.id)
    page.goto(f"{ana.site.origin}/#/people")
    talk.say(bob, "are you there?")
    page.wait_for_function("() => notified.length > 0")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.go_back()
    expect(bubble(page, "hello")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("dispatchEvent(new CustomEvent('klatsch:signed-out'))")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("notified.every(({ isClosed }) => isClosed)")


def test_the_composer_shows_all_of_a_text_also_after_the_window_has_become_narrow(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    composer(page).fill("a few words " * 15)
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function(
        """() => {
            const field = document.querySelector('k-composer textarea');
            return field.clientWidth < 360 && field.scrollHeight <= field.clientHeight;
        }"""
    )


def test_an_edit_that_is_refused_after_one_has_left_the_conversation_is_not_lost(
    ana: Person, bob: Person, talk: Talk
) -> None:
    sent = talk.say(ana, "original")
    page = ana.page
    silence = Silence(page, is_on=False)
    open_conversation(ana, talk.id)
    choose(page, "original", "Edit")
    silence.begin()
    composer(page).fill("from here")
    composer(page).press("Enter")
    ana.ask("PATCH", f"messages/{sent['id']}", {"content": "from elsewhere"})
    page.evaluate("location.hash = '#/people'")
    expect(page.get_by_role("heading", name="New conversation")).to_be_visible()
    silence.end()
    page.get_by_role("link", name="1 message was not sent").click()
    unsent = page.locator("k-unsent li")
    expect(unsent).to_contain_text("from here")
    unsent.get_by_role("button", name="Try again").click()
    expect(unsent).to_have_count(0)
    row(page, bob.username).click()
    expect(bubble(page, "from here")).to_be_visible()
