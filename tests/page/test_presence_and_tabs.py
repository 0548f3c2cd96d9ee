"""Live things: typing, presence, the connection's banner, waking up, several tabs and notifications."""

import re

from playwright.sync_api import Page, expect

from tests.page.people import People, Person
from tests.page.steps import bubble, composer, open_conversation, row, texts, write
from tests.page.talks import Talk
from tests.support.process import wait_until

NOTIFICATIONS = """
globalThis.notified = [];
globalThis.Notification = class {
  static permission = 'granted';
  static requestPermission = async () => 'granted';
  constructor(title, options) { Object.assign(this, { title, options }); globalThis.notified.push(this); }
  close() { this.isClosed = true; }
};
if (location.protocol.startsWith('http')) localStorage.setItem('klatsch.notify', 'on');
"""


def test_one_sees_who_types_and_who_is_online(ana: Person, bob: Person, talk: Talk) -> None:
    to_bob = open_conversation(ana, talk.id)
    expect(to_bob.locator(".conversation-head")).to_contain_text("Offline")
    to_ana = open_conversation(bob, talk.id)
    expect(to_bob.locator(".conversation-head")).to_contain_text("Online")
    composer(to_ana).press_sequentially("typing")
    expect(to_bob.locator(".typists")).to_have_text(f"{bob.username} is typing…")
    composer(to_ana).press("Enter")
    expect(to_bob.locator(".typists")).to_have_text("")


def test_a_banner_shows_only_after_five_seconds_away_with_the_seconds(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    page.evaluate(
        """() => {
            const banner = document.querySelector('k-banner');
            globalThis.bannerAt = null;
            new MutationObserver(() => { if (!banner.hidden) globalThis.bannerAt ??= performance.now(); })
                .observe(banner, { attributes: true });
        }"""
    )
    began = page.evaluate("performance.now()")
    ana.site.gateway.kill()
    expect(page.locator("k-banner")).to_be_visible()
    expect(page.locator("k-banner")).to_contain_text(re.compile(r"\d+ s"))
    assert page.evaluate("bannerAt") - began >= 4_900
    ana.site.start()
    expect(page.locator("k-banner")).to_be_hidden()


def test_awake_again_the_page_connects_without_waiting_and_has_what_it_missed(
    ana: Person, bob: Person, talk: Talk
) -> None:
    page = open_conversation(ana, talk.id)
    site = ana.site
    site.gateway.kill()
    expect(page.locator("k-banner")).to_be_visible()
    with ana.hidden():
        site.start()
        talk.say(bob, "while away")
    expect(bubble(page, "while away")).to_be_visible(timeout=5_000)


def test_a_message_in_two_tabs_is_there_once_in_each(ana: Person, bob: Person, talk: Talk) -> None:
    first = open_conversation(ana, talk.id)
    second = ana.open_tab(f"/#/c/{talk.id}")
    write(first, "from one tab")
    expect(bubble(second, "from one tab")).to_be_visible()
    talk.say(bob, "to both tabs")
    for page in (first, second):
        expect(bubble(page, "to both tabs")).to_be_visible()
        assert texts(page) == ["hello", "from one tab", "to both tabs"]


def notified(page: Page) -> list[str]:
    found: list[str] = page.evaluate("notified.map(({ title, options }) => `${title}: ${options.body}`)")
    return found


def test_one_notification_comes_over_all_tabs_and_goes_when_it_is_read_elsewhere(people: People, bob: Person) -> None:
    ana = people.member()
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    talk.mark_read(ana, 0)
    ana.context.add_init_script(NOTIFICATIONS)
    ana.context.add_init_script("document.hasFocus = () => false")
    tabs = [ana.open("/"), ana.open_tab("/"), ana.open_tab("/")]
    for tab in tabs:
        expect(row(tab, bob.username)).to_be_visible()
    talk.say(bob, "are you there?")
    for tab in tabs:
        expect(row(tab, bob.username)).to_contain_text("1 unread message")
    wait_until(lambda: [one for tab in tabs for one in notified(tab)], "a notification")
    talk.say(bob, "hello?")
    wait_until(lambda: len([one for tab in tabs for one in notified(tab)]) > 1, "the next one")
    found = [one for tab in tabs for one in notified(tab)]
    assert sorted(found) == [f"{bob.username}: are you there?", f"{bob.username}: hello?"]
    shown = next(tab for tab in tabs if notified(tab))
    talk.mark_read(ana, 2)
    shown.wait_for_function("() => notified.at(-1).isClosed")
    shown.evaluate("notified.at(-1).onclick()")
    expect(shown).to_have_url(re.compile(f"#/c/{talk.id}/m/"))
