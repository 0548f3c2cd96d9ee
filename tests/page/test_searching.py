"""Searching messages: ways in, what is found and how it is shown, the way to a message and back."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.page.people import NARROW, People, Person, check_axe
from tests.page.steps import bubble, composer, open_conversation, row
from tests.page.talks import Talk
from tests.page.test_groups import group_of
from tests.page.test_late import hold, wait_for

_SEARCHES = "**/api/v1/search?*"
_KEY = "Control+Shift+F"
_NONE: dict[str, Any] = {"results": [], "next": None, "previous": None}


@pytest.fixture
def talk(ana: Person, bob: Person) -> Talk:
    """Opens a conversation with sixty messages of Bob's, of which the first tells of tea."""
    talk = Talk(ana, bob)
    talk.write_all(bob, ["Tea at four?", *(f"line {number}" for number in range(59))])
    talk.mark_read(ana, 59)
    return talk


def field(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Words in the message")


def found(page: Page) -> Locator:
    return page.get_by_role("list", name="Messages found").get_by_role("link")


def search(page: Page, words: str) -> None:
    page.keyboard.press(_KEY)
    expect(field(page)).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def status(page: Page) -> Locator:
    return page.locator("k-search > [role=status]")


def test_words_are_found_in_all_conversations_and_lead_to_their_message_and_back(
    ana: Person, bob: Person, talk: Talk
) -> None:
    group = group_of(ana, bob, title="Kitchen")
    ana.ask("POST", f"conversations/{group}/messages", {"content": "Who drinks **green** TEA?"})
    page = open_conversation(ana, talk.id)
    search(page, "tea")
    expect(status(page)).to_have_text("2 messages found")
    expect(page).to_have_title("Search: tea · Klatsch")
    expect(found(page).locator("mark")).to_have_text(["TEA", "Tea"])
    expect(found(page).nth(0)).to_contain_text(re.compile(r"You.*in KitchenWho drinks green TEA\?"))
    expect(found(page).nth(1)).to_contain_text(re.compile(rf"{bob.username}.*with {bob.username}Tea at four\?"))
    expect(field(page)).to_be_focused()
    check_axe(page)

    found(page).nth(1).click()
    expect(bubble(page, "Tea at four?")).to_be_in_viewport()
    expect(page.get_by_role("heading", name=bob.username)).to_be_visible()
    page.get_by_role("link", name="Back to what was found").click()
    expect(found(page).nth(1)).to_be_focused()
    page.go_back()
    expect(bubble(page, "Tea at four?")).to_be_in_viewport()
    row(page, bob.username).click()
    expect(page.get_by_role("link", name="Back to what was found")).to_have_count(0)


def test_what_was_found_is_walked_and_opened_by_keyboard_alone(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    search(page, "tea or line")
    expect(found(page)).to_have_count(20)
    page.keyboard.press("ArrowDown")
    expect(found(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(found(page).nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(field(page)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(bubble(page, "line 58")).to_be_in_viewport()
    page.go_back()
    expect(found(page).nth(0)).to_be_focused()
    page.keyboard.press(_KEY)
    expect(field(page)).to_be_focused()
    page.keyboard.type("tea")
    expect(field(page)).to_have_value("tea")


def test_more_is_found_page_by_page_and_the_focus_goes_on(ana: Person, talk: Talk) -> None:
    page = ana.open("/#/search/tea%20or%20line")
    expect(status(page)).to_have_text("20 messages found so far, the newest first")
    for count, said in ((40, "40 messages found so far, the newest first"), (60, "60 messages found")):
        page.get_by_role("button", name="Show more").focus()
        page.keyboard.press("Enter")
        expect(found(page)).to_have_count(count)
        expect(found(page).nth(count - 20)).to_be_focused()
        expect(status(page)).to_have_text(said)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    texts = page.locator(".found-text").all_inner_texts()
    assert texts == [*(f"line {number}" for number in reversed(range(59))), "Tea at four?"]


def test_what_is_typed_right_after_the_key_goes_into_no_conversation(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    held = hold(page, "**/views/search.js")
    page.keyboard.press(_KEY)
    wait_for(page, lambda: held, "the view was asked for")
    page.keyboard.type("tea")
    page.keyboard.press("Enter")
    held[0].continue_()
    expect(field(page)).to_be_focused()
    row(page, bob.username).click()
    expect(composer(page)).to_have_value("")
    assert ana.ask("GET", f"conversations/{talk.id}/messages?limit=1")["results"][0]["content"] == "line 58"


def test_nothing_found_nothing_yet_and_no_answer_are_told_apart(ana: Person, talk: Talk) -> None:
    page = ana.open("/#/search/cocoa")
    expect(status(page)).to_have_text("No message has these words.")
    check_axe(page)

    asked: list[str] = []

    def find_late(route: Route) -> None:
        asked.append(route.request.url)
        count = len(asked)
        route.fulfill(json={**_NONE, "next": f"{route.request.url}&cursor={count}" if count < 4 else None})

    page.route(_SEARCHES, find_late)
    search(page, "chocolate")
    expect(status(page)).to_have_text("None of your latest messages has these words.")
    assert len(asked) == 3
    page.get_by_role("button", name="Search older messages").press("Enter")
    expect(status(page)).to_have_text("No message has these words.")
    assert [url.partition("cursor=")[2] for url in asked] == ["", "1", "1&cursor=2", "1&cursor=2&cursor=3"]
    page.unroute(_SEARCHES)

    with ana.offline():
        search(page, "tea")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
        check_axe(page)
    page.get_by_role("button", name="Try again").click()
    expect(found(page).locator("mark")).to_have_text(["Tea"])


def test_an_answer_to_other_words_comes_too_late(ana: Person, talk: Talk) -> None:
    page = ana.open("/#/search")
    held = hold(page, _SEARCHES)
    search(page, "line")
    wait_for(page, lambda: held, "the first words were asked for")
    search(page, "tea")
    wait_for(page, lambda: len(held) == 2, "the second words were asked for")
    for route in reversed(held):
        with page.expect_response(_SEARCHES):
            route.continue_()
    expect(status(page)).to_have_text("1 message found")
    expect(found(page)).to_have_count(1)
    search(page, " ")
    expect(found(page)).to_have_count(0)
    expect(status(page)).to_have_text("")


def test_what_is_deleted_edited_or_left_is_not_among_what_was_found(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "tea one")
    talk.say(ana, "tea two")
    group = group_of(bob, ana, title="Kitchen")
    bob.ask("POST", f"conversations/{group}/messages", {"content": "tea three"})
    page = ana.open("/#/search/tea")
    expect(page.locator(".found-text")).to_have_text(["tea three", "tea two", "tea one"])
    found(page).nth(2).focus()
    bob.ask("DELETE", f"messages/{talk.ids[0]}")
    expect(page.locator(".found-text")).to_have_text(["tea three", "tea two"])
    expect(field(page)).to_be_focused()
    ana.ask("PATCH", f"messages/{talk.ids[1]}", {"content": "coffee"})
    expect(page.locator(".found-text")).to_have_text(["tea three", "coffee"])
    bob.ask("DELETE", f"conversations/{group}/members/{ana.username}")
    expect(page.locator(".found-text")).to_have_text(["coffee"])
    expect(status(page)).to_have_text("1 message found")


def test_ctrl_k_leads_on_to_messages_with_what_is_written_there(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    page.keyboard.press("Control+k")
    page.keyboard.type("Tea 100%")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Search messages for “Tea 100%”")).to_be_focused()
    check_axe(page)
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value("Tea 100%")
    expect(status(page)).to_have_text("No message has these words.")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Search messages", exact=True).click()
    expect(field(page)).to_have_value("")
    page.get_by_role("heading", name="Search messages").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog").get_by_text("Ctrl + Shift + F")).to_be_visible()


def test_words_and_texts_are_shown_as_they_were_written(people: People, ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    text = '<img src=x onerror=alert(1)> </mark><script>alert(2)</script> "&amp;"'
    talk.say(bob, text)
    page = people.person(ana.member, size=NARROW).open("/#/")
    page.get_by_role("link", name="Search messages").click()
    field(page).fill('<img onerror "alert"')
    field(page).press("Enter")
    expect(page.locator(".found-text")).to_have_text(text)
    expect(page.locator(".found-text mark")).to_have_text(["img", "onerror", "alert", "alert"])
    expect(page.locator(".found-text img, .found-text script")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_axe(page)
