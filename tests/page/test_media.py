"""The page on paper, in the system's colours, without motion, at 400 %, the next day, and offline."""

import re

from playwright.sync_api import expect

from tests.page.people import People, Person
from tests.page.steps import open_conversation, row
from tests.page.talks import Talk

_SMALL = (320, 256)
"""A window of 1280 by 1024 pixels at 400 %."""
_COUNT_LINES = """(element) => {
  const text = document.createRange();
  text.selectNodeContents(element);
  return text.getClientRects().length;
}"""

_LIGHT_UP = """(message) => {
  message.classList.add('lit');
  return getComputedStyle(message.querySelector('.bubble')).animationDuration;
}"""

_LOSE = """async (sinceMs) => {
  const { href } = document.querySelector('link[rel=modulepreload][href$="/page/session.js"]');
  const { store } = (await import(href)).session;
  store.status = { kind: 'lost', since: Date.now() - sinceMs };
  store.tell('status');
}"""


def test_all_loaded_messages_are_printed_and_nothing_else(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.fill(bob, 40)
    page = open_conversation(ana, talk.id)
    page.emulate_media(media="print")
    for part in ("k-list", "k-composer", ".message-more"):
        expect(page.locator(part).first).to_be_hidden()
    log = page.get_by_role("log")
    assert log.evaluate("log => log.getBoundingClientRect().height >= log.scrollHeight")
    assert page.evaluate("document.documentElement.scrollHeight") > page.evaluate(
        "document.querySelector('k-message:last-of-type').offsetTop"
    )


def test_what_a_background_says_is_said_by_a_line_where_colours_are_the_systems(people: People, exchange: Talk) -> None:
    person = people.person(exchange.people[0].member, forced_colors="active")
    page = open_conversation(person, exchange.id)
    expect(page.locator("k-list [aria-current=page]")).to_have_css("border-inline-start-width", "4px")
    expect(page.locator(".message.own .bubble")).to_have_css("border-inline-end-width", "4px")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", selected=True).first).to_have_css("outline-style", "solid")


def test_a_message_one_is_led_to_is_lit_up_also_without_motion(people: People, exchange: Talk) -> None:
    person = people.person(exchange.people[0].member, reduced_motion="reduce")
    page = open_conversation(person, exchange.id)
    assert page.locator("k-message").first.evaluate(_LIGHT_UP) == "2.4s"


def test_at_400_percent_messages_have_half_of_the_screen_and_no_word_is_broken(people: People, exchange: Talk) -> None:
    person = people.person(exchange.people[0].member, size=_SMALL)
    page = person.open("/")
    heading = page.get_by_role("heading", name="Conversations")
    expect(heading).to_be_visible()
    assert heading.evaluate(_COUNT_LINES) == 1
    row(page, exchange.people[1].username).click()
    log = page.get_by_role("log").bounding_box()
    assert log is not None
    assert log["height"] >= _SMALL[1] / 2


def test_the_list_turns_at_midnight(ana: Person, bob: Person, exchange: Talk) -> None:
    ana.page.clock.install()
    page = ana.open("/")
    time = row(page, bob.username).locator("time")
    expect(time).to_have_text(re.compile(r"^\d+:\d\d"))
    page.clock.fast_forward("24:00:00")
    expect(time).to_have_text(re.compile(r"^\w{3}$"))


def test_after_an_hour_without_a_connection_the_banner_counts_minutes(ana: Person, exchange: Talk) -> None:
    page = open_conversation(ana, exchange.id)
    page.evaluate(_LOSE, 30_000)
    expect(page.locator(".banner-seconds")).to_have_text(re.compile(r"^\d\d s$"))
    page.evaluate(_LOSE, 3_700_000)
    expect(page.locator(".banner-seconds")).to_have_text("61 min")
