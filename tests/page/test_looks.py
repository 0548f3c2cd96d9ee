"""Use by everybody: screen readers, keyboards, narrow and zoomed screens, both themes, and local times."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.page.people import NARROW, WIDE, People, Person, check_axe
from tests.page.steps import bubble, bubbles, choose, composer, open_conversation, row, write
from tests.page.talks import Talk

_LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3


def no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(
        "(() => { const log = document.querySelector('k-log'); return !log || log.scrollWidth <= log.clientWidth; })()"
    )


@pytest.fixture
def talk(ana: Person, bob: Person) -> Talk:
    """Opens a conversation with one of everything."""
    talk = Talk(ana, bob)
    talk.say(bob, "**Hello** *Ana*, `code` and https://example.org/a")
    talk.say(bob, f"{_LONG}\n- one\n- two\n> quoted\n```\n{_LONG}\n```")
    talk.say(ana, "an answer", reply_to=talk.ids[0])
    ana.ask("PUT", f"messages/{talk.ids[0]}/reactions/👍")
    bob.ask("PUT", f"messages/{talk.ids[0]}/pin")
    ana.ask("PATCH", f"messages/{talk.ids[2]}", {"content": "an edited answer"})
    return talk


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_axe_finds_nothing_on_any_view(
    people: People, ana: Person, talk: Talk, theme: str, size: tuple[int, int]
) -> None:
    page = people.person(ana.member, theme=theme, size=size).open("/")
    expect(page.locator("k-list li")).to_have_count(1)
    expect(page.locator("h1").first).to_be_attached()  # the list may be there before the view beside it
    check_axe(page)
    page.goto(page.url.split("#")[0] + f"#/c/{talk.id}")
    expect(bubbles(page)).to_have_count(3)
    no_sideways_scroll(page)
    check_axe(page)
    choose(page, "an edited answer", "Edit")
    check_axe(page)
    page.keyboard.press("Escape")
    bubble(page, "an edited answer").get_by_role("button", name="Message actions").click()
    check_axe(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    check_axe(page)
    page.keyboard.press("Escape")
    for path, heading in (
        ("#/people", "New conversation"),
        ("#/search/answer", "Search messages"),
        ("#/unsent", "Not sent yet"),
        ("#/no-such-view", "There is nothing here"),
    ):
        page.evaluate("path => { location.hash = path; }", path)
        expect(page.get_by_role("main").get_by_role("heading", name=heading)).to_be_visible()
        no_sideways_scroll(page)
        check_axe(page)


def test_only_what_is_new_is_read_out_and_the_log_is_a_log(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    expect(page.get_by_role("log", name="Messages")).to_have_attribute("aria-live", "off")
    spoken = page.locator("k-notes .visually-hidden[aria-live=polite]")
    expect(spoken).to_have_text("")
    talk.say(bob, "read this *out*")
    expect(spoken).to_have_text(f"{bob.username}: read this out")
    write(page, "sent")
    expect(composer(page)).to_be_focused()
    expect(spoken).to_have_text(f"{bob.username}: read this out")


def test_the_page_fits_at_200_percent_and_from_right_to_left(
    people: People, ana: Person, bob: Person, talk: Talk
) -> None:
    page = open_conversation(people.person(ana.member, size=(640, 400), device_scale_factor=2), talk.id)
    no_sideways_scroll(page)
    expect(composer(page)).to_be_in_viewport()
    wide = open_conversation(ana, talk.id)
    wide.evaluate("document.documentElement.dir = 'rtl'")
    no_sideways_scroll(wide)
    own, other = (
        bubble(wide, "an edited answer").locator(".bubble").bounding_box(),
        bubbles(wide).first.locator(".bubble").bounding_box(),
    )
    assert own is not None
    assert other is not None
    assert own["x"] < other["x"]
    talk.say(bob, "שלום עולם")
    assert bubble(wide, "שלום עולם").locator("p").evaluate("(p) => getComputedStyle(p).direction") == "rtl"


def test_touch_targets_are_at_least_44_pixels_high(people: People, ana: Person, talk: Talk) -> None:
    touch = people.person(ana.member, size=NARROW, has_touch=True, is_mobile=True)
    page = open_conversation(touch, talk.id)
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, a.icon-button, .list-row a, textarea')]
            .filter((one) => one.checkVisibility() && !one.matches('.edited'))
            .filter((one) => one.getBoundingClientRect().height < 44)
            .map((one) => `${one.className}: ${one.getBoundingClientRect().height}`)"""
    )
    assert small == []


def test_times_are_in_ones_own_zone_and_language_and_exact_on_hover(people: People, ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    sent = talk.say(bob, "when?")
    moment = sent["sent_at"]
    for zone, locale in (("Asia/Tokyo", "en-US"), ("Europe/Berlin", "de-DE")):
        page = open_conversation(people.person(ana.member, timezone_id=zone, locale=locale), talk.id)
        time = bubble(page, "when?").locator("time")
        wanted = page.evaluate(
            """([moment, timeZone, locale]) => {
                const format = new Intl.DateTimeFormat(locale, { timeZone, hour: 'numeric', minute: '2-digit' });
                return format.format(new Date(moment));
            }""",
            [moment, zone, locale],
        )
        expect(time).to_have_text(wanted)
        expect(time).to_have_attribute("title", re.compile(moment[:4]))


def test_day_separators_turn_at_midnight(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "today")
    ana.page.clock.install()
    page = open_conversation(ana, talk.id)
    expect(page.locator("k-log .day")).to_have_text("Today")
    page.clock.fast_forward("24:00:00")
    expect(page.locator("k-log .day")).to_have_text("Yesterday")


def test_a_narrow_screen_shows_the_list_or_the_conversation_with_a_way_back(
    people: People, ana: Person, bob: Person
) -> None:
    Talk(ana, bob).say(bob, "hello")
    page = people.person(ana.member, size=NARROW).open("/")
    expect(page.locator("k-list")).to_be_visible()
    row(page, bob.username).click()
    expect(page.locator("k-list")).to_be_hidden()
    page.get_by_role("link", name="Back to the list").click()
    expect(page.locator("k-list")).to_be_visible()
