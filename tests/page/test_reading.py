"""Reading: the line "new", jumps beyond what is loaded, what counts as read, and following the end."""

import re
import statistics

import pytest
from playwright.sync_api import Page, expect

from tests.page.people import Person
from tests.page.steps import bubble, bubbles, choose, composer, open_conversation, row, scroll_to, texts, top_of, write
from tests.page.talks import Talk
from tests.support.process import wait_until

LAST = "line 399"
_COME_AGAIN = """(id) => new Promise((resolve) => {
    const began = performance.now();
    location.hash = `#/c/${id}`;
    const isThere = () => document.querySelector('k-message');
    const look = () => isThere() ? resolve(performance.now() - began) : requestAnimationFrame(look);
    look();
})"""
"""Resolves to the milliseconds until a conversation's messages are there."""


@pytest.fixture
def talk(ana: Person, bob: Person) -> Talk:
    """Opens a conversation of Ana and Bob, with 400 messages of Bob's of which Ana has read the first 100."""
    talk = Talk(ana, bob)
    talk.fill(bob, 400)
    talk.mark_read(ana, 99)
    return talk


def unread_of(person: Person, talk: str) -> int | str:
    found: int | str = person.ask("GET", f"conversations/{talk}")["unread"]
    return found


def expect_in_view(page: Page, text: str) -> None:
    expect(bubble(page, text)).to_be_in_viewport()


def test_a_conversation_opens_at_the_first_unread_message_beyond_what_is_loaded(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    expect(page.get_by_role("separator", name="New")).to_be_in_viewport()
    expect_in_view(page, "line 100")
    assert unread_of(ana, talk.id) != 0


def test_the_line_new_stays_until_one_leaves_and_escape_marks_as_read(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    line = page.get_by_role("separator", name="New")
    page.get_by_role("button", name="To the newest message").click()
    expect_in_view(page, LAST)
    expect(row(page, bob.username).locator(".badge")).to_have_count(0)
    page.get_by_role("button", name="To the first unread message").click()
    expect(line).to_be_in_viewport()
    expect_in_view(page, "line 100")
    composer(page).press("Escape")
    expect_in_view(page, LAST)
    expect(line).to_have_count(0)
    expect(composer(page)).to_be_focused()


def test_the_line_new_stays_also_when_another_chat_begins(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    for number in range(3):
        talk.say(bob, f"line {number}")
    talk.mark_read(ana, 0)
    page = open_conversation(ana, talk.id)
    line = page.get_by_role("separator", name="New")
    expect(line).to_be_visible()
    wait_until(lambda: unread_of(ana, talk.id) == 0, "all is read")
    page.evaluate(
        """async () => {
            const { href } = document.querySelector('link[rel=modulepreload][href$="/page/session.js"]');
            (await import(href)).session.store.restart();
        }"""
    )
    expect(bubble(page, "line 2")).to_be_visible()
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")
    expect(line).to_be_visible()
    following = line.locator("xpath=following-sibling::k-message").first
    expect(following).to_contain_text("line 1")


def test_what_is_new_is_read_only_when_somebody_looks(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "before")
    page = open_conversation(ana, talk.id)
    expect(row(page, bob.username).locator(".badge")).to_have_count(0)
    with ana.hidden():
        talk.say(bob, "while hidden")
        expect(bubble(page, "while hidden")).to_be_attached()
        expect(row(page, bob.username).locator(".badge")).to_have_text("11 unread message")
        assert page.title().startswith("(1)")
    expect(row(page, bob.username).locator(".badge")).to_have_count(0)
    expect(page.get_by_role("separator", name="New")).to_be_visible()
    assert not page.title().startswith("(")


def test_unread_from_here_holds_until_one_comes_again(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    for number in range(5):
        talk.say(bob, f"line {number}")
    page = open_conversation(ana, talk.id)
    expect(row(page, bob.username).locator(".badge")).to_have_count(0)
    choose(page, "line 2", "Mark unread from here")
    expect(row(page, bob.username)).to_contain_text("3 unread messages")
    row(page, bob.username).click()
    expect(page.get_by_role("separator", name="New")).to_be_visible()
    expect(row(page, bob.username).locator(".badge")).to_have_count(0)


def test_new_messages_are_followed_at_the_end_and_counted_above_it(ana: Person, bob: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    page = open_conversation(ana, talk.id)
    talk.say(bob, "followed")
    expect_in_view(page, "followed")
    page.get_by_role("log").evaluate("log => { log.scrollTop -= 300; }")
    place = top_of(page, "line 398")
    talk.say(bob, "not followed")
    expect(page.get_by_role("button", name="1 new message")).to_be_visible()
    assert top_of(page, "line 398") == pytest.approx(place, abs=1)
    write(page, "one's own")
    expect_in_view(page, "one's own")
    expect(page.get_by_role("button", name=re.compile("new message"))).to_have_count(0)


def test_older_messages_come_above_without_moving_what_one_reads(ana: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    page = open_conversation(ana, talk.id)
    expect_in_view(page, LAST)
    for _ in range(3):
        first = texts(page)[0]
        scroll_to(page, 120)
        place = top_of(page, first)
        expect(bubbles(page).first).not_to_contain_text(re.compile(f"^{first}$"))
        page.wait_for_function(
            "first => document.querySelector('k-message .bubble-text').textContent !== first", arg=first
        )
        assert top_of(page, first) == pytest.approx(place, abs=1)


def test_newer_messages_come_below_without_moving_what_one_reads(ana: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    page = ana.open(f"/#/c/{talk.id}/m/{talk.ids[100]}")
    expect_in_view(page, "line 100")
    for _ in range(3):
        last = texts(page)[-1]
        scroll_to(page, 10**9)
        place = top_of(page, last)
        page.wait_for_function(
            "last => [...document.querySelectorAll('k-message .bubble-text')].at(-1).textContent !== last", arg=last
        )
        assert top_of(page, last) == pytest.approx(place, abs=1)


def test_the_document_is_bounded_while_one_scrolls_to_the_beginning_and_back(ana: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    page = open_conversation(ana, talk.id)
    for ends, target in ((0, "line 0"), (10**9, LAST)):
        for _ in range(40):
            if bubble(page, target).count():
                break
            edge = texts(page)[0 if ends == 0 else -1]
            scroll_to(page, ends)
            page.wait_for_function(
                """([edge, isTop]) => {
                    const all = [...document.querySelectorAll('k-message .bubble-text')];
                    return all.at(isTop ? 0 : -1).textContent !== edge;
                }""",
                arg=[edge, ends == 0],
            )
            assert bubbles(page).count() <= 300
        expect(bubble(page, target)).to_be_attached()
    shown = texts(page)
    assert shown == [f"line {number}" for number in range(400 - len(shown), 400)]


def test_a_link_leads_to_its_message_and_a_quote_to_its_original_and_back(ana: Person, bob: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    talk.say(bob, "an answer", reply_to=talk.ids[7])
    page = ana.open(f"/#/c/{talk.id}/m/{talk.ids[200]}")
    expect_in_view(page, "line 200")
    page.get_by_role("button", name="To the newest message").click()
    expect_in_view(page, "an answer")
    bubble(page, "an answer").get_by_role("button", name="To the quoted message").click()
    expect_in_view(page, "line 7")
    page.get_by_role("button", name="Back to where you were").click()
    expect_in_view(page, "an answer")


def test_a_conversation_that_was_open_before_is_there_within_100_ms(ana: Person, talk: Talk) -> None:
    talk.mark_read(ana, 399)
    page = open_conversation(ana, talk.id)
    expect_in_view(page, LAST)
    took: list[float] = []
    for _ in range(5):
        page.evaluate("location.hash = '#/people'")
        expect(bubbles(page)).to_have_count(0)
        took.append(page.evaluate(_COME_AGAIN, talk.id))
        expect_in_view(page, LAST)
    assert statistics.median(took) <= 100
