"""Opening a conversation: without a network, by a link, and after an address that leads nowhere; Escape in it."""

import uuid

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.page.people import People, Person
from tests.page.site import Site
from tests.page.steps import bubble, composer, open_conversation, receipt, row, texts, write
from tests.page.talks import Talk
from tests.page.watch import Watch

NOT_LOADED = "The conversation could not be loaded."
NOWHERE = "There is nothing here"


@pytest.fixture
def carol(people: People) -> Person:
    return people.member()


@pytest.fixture
def other(ana: Person, carol: Person) -> Talk:
    other = Talk(ana, carol)
    other.say(carol, "good morning")
    return other


def heading(page: Page) -> Locator:
    return page.get_by_role("main").get_by_role("heading", level=1)


def height_of(found: Locator) -> float:
    box = found.bounding_box()
    assert box is not None
    return float(box["height"])


def press_escape(page: Page, **more: object) -> None:
    """Presses Escape as a browser says it while an input method composes."""
    page.evaluate(
        """(more) => document.querySelector('k-composer textarea').dispatchEvent(
            new KeyboardEvent('keydown', { key: 'Escape', bubbles: true, cancelable: true, ...more }))""",
        more,
    )


def test_a_conversation_opened_offline_is_there_with_what_was_written_once_the_connection_is_back(
    ana: Person, carol: Person, talk: Talk, other: Talk
) -> None:
    page = open_conversation(ana, talk.id)
    elsewhere = page.get_by_role("link", name="New conversation")

    def is_try(request: Request) -> bool:
        return other.id in request.url

    with ana.offline():
        row(page, carol.username).click()
        expect(page.get_by_text(NOT_LOADED)).to_be_visible()
        expect(composer(page)).to_be_focused()
        write(page, "written offline")
        expect(bubble(page, "written offline")).to_be_visible()
        elsewhere.focus()
        for _ in range(2):
            page.wait_for_event("requestfailed", is_try)
        expect(elsewhere).to_be_focused()
    expect(bubble(page, "good morning")).to_be_visible()
    expect(receipt(page, "written offline")).to_have_class("receipt sent")
    expect(page.get_by_text(NOT_LOADED)).to_be_hidden()
    assert texts(page) == ["good morning", "written offline"]
    expect(elsewhere).to_be_focused()


def test_a_conversation_opened_while_the_server_is_away_is_there_when_it_is_back(
    site: Site, ana: Person, carol: Person, talk: Talk, other: Talk
) -> None:
    page = open_conversation(ana, talk.id)
    site.gateway.kill()
    row(page, carol.username).click()
    expect(page.get_by_text(NOT_LOADED)).to_be_visible()
    write(page, "is anybody there?")
    expect(bubble(page, "is anybody there?")).to_be_visible()
    site.start()
    expect(bubble(page, "good morning")).to_be_visible()
    expect(receipt(page, "is anybody there?")).to_have_class("receipt sent")
    assert texts(page) == ["good morning", "is anybody there?"]
    expect(composer(page)).to_be_focused()


def test_a_fault_of_the_page_is_not_taken_for_a_lost_network_and_is_seen_in_the_console(
    watch: Watch, ana: Person, carol: Person, talk: Talk, other: Talk
) -> None:
    watch.allow("a fault of the page")
    page = open_conversation(ana, talk.id)
    page.evaluate(
        """() => {
            const { jumps } = document.querySelector('k-conversation');
            jumps.toFirst = () => { throw new TypeError('a fault of the page'); };
        }"""
    )
    with page.expect_event("pageerror") as fault:
        row(page, carol.username).click()
    assert "a fault of the page" in str(fault.value)
    expect(bubble(page, "good morning")).to_be_visible()
    expect(page.get_by_text(NOT_LOADED)).to_be_hidden()


@pytest.mark.parametrize("address", [f"#/c/{uuid.UUID(int=1)}", "#/with/nobody-has-this-name"])
def test_from_an_address_that_leads_nowhere_one_clicks_a_conversation_and_writes_in_it_under_its_own_heading(
    ana: Person, bob: Person, talk: Talk, address: str
) -> None:
    page = open_conversation(ana, talk.id)
    expect(heading(page)).to_have_text(bob.username)
    high = height_of(composer(page))
    page.evaluate("address => { location.hash = address; }", address)
    expect(heading(page)).to_have_text(NOWHERE)
    expect(heading(page)).to_be_focused()
    expect(page).to_have_title("Not found · Klatsch")
    expect(composer(page)).to_be_hidden()
    expect(page.get_by_role("button", name="To the newest message")).to_be_hidden()
    talk.say(bob, "are you coming?")
    expect(row(page, bob.username)).to_contain_text("are you coming?")
    expect(heading(page)).to_have_text(NOWHERE)

    row(page, bob.username).click()
    expect(heading(page)).to_have_text(bob.username)
    expect(composer(page)).to_be_focused()
    assert height_of(composer(page)) == high
    write(page, "here I am")
    expect(receipt(page, "here I am")).to_have_class("receipt sent")
    assert texts(page) == ["hello", "are you coming?", "here I am"]


def test_a_link_to_a_message_that_does_not_exist_shows_the_end_of_the_conversation(ana: Person, talk: Talk) -> None:
    page = ana.open(f"/#/c/{talk.id}/m/{uuid.UUID(int=1)}")
    expect(page.get_by_text("This message cannot be found.")).to_be_visible()
    expect(bubble(page, "hello")).to_be_visible()


def test_escape_that_leaves_an_input_methods_composition_leaves_what_is_unread(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.fill(bob, 150)
    talk.mark_read(ana, 49)
    page = open_conversation(ana, talk.id)
    line = page.get_by_role("separator", name="New")
    expect(line).to_be_in_viewport()
    composer(page).fill("にほん")
    press_escape(page, isComposing=True)
    press_escape(page, keyCode=229)
    talk.say(bob, "and one more")
    expect(row(page, bob.username)).to_contain_text("and one more")
    expect(line).to_be_in_viewport()
    press_escape(page)
    expect(line).to_have_count(0)
    expect(bubble(page, "and one more")).to_be_in_viewport()
