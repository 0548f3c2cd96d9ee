"""Browsers with several tabs, with full storage or none, and with files of an older page."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.people import Person
from tests.page.steps import bubble, composer, open_conversation, row, write
from tests.page.talks import Talk

_NO_STORAGE = """
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, { get() { throw new DOMException('forbidden', 'SecurityError'); } });
}
"""
_FULL_STORAGE = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
_NOTIFIES_NOT = """
globalThis.Notification = class {
  static permission = 'granted';
  static requestPermission = () => Promise.resolve('granted');
  constructor() { throw new TypeError('Illegal constructor'); }
};
"""
"""A browser that gives the permission and lets no page notify, such as Chrome on Android."""
_GIVE_FILE = """(type) => {
  const given = new DataTransfer();
  given.items.add(new File(['x'], 'picture.png', { type: 'image/png' }));
  const options = { bubbles: true, cancelable: true, dataTransfer: given, clipboardData: given };
  const event = type === 'paste' ? new ClipboardEvent(type, options) : new DragEvent(type, options);
  document.querySelector('k-composer textarea').dispatchEvent(event);
  return event.defaultPrevented;
}"""


def open_second(person: Person, talk: Talk) -> Page:
    page = person.open_tab(f"/#/c/{talk.id}")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")
    return page


def test_a_draft_is_one_over_all_tabs_and_a_tab_that_leaves_takes_none_away(ana: Person, exchange: Talk) -> None:
    first = open_conversation(ana, exchange.id)
    second = open_second(ana, exchange)
    composer(first).fill("half a sen")
    expect(composer(second)).to_have_value("half a sen")
    second.evaluate("location.hash = '#/people'")
    expect(composer(second)).to_have_count(0)
    first.reload()
    expect(composer(first)).to_have_value("half a sen")


def test_what_was_sent_is_no_draft_in_another_tab(ana: Person, exchange: Talk) -> None:
    first = open_conversation(ana, exchange.id)
    composer(first).fill("sent once")
    second = open_second(ana, exchange)
    expect(composer(second)).to_have_value("sent once")
    composer(first).press("Enter")
    expect(composer(second)).to_have_value("")
    second.evaluate("location.hash = '#/people'")
    expect(composer(second)).to_have_count(0)
    expect(second.locator("k-list .draft")).to_have_count(0)


def test_an_edit_in_one_tab_is_not_taken_for_a_draft_by_another(ana: Person, exchange: Talk) -> None:
    first = open_conversation(ana, exchange.id)
    second = open_second(ana, exchange)
    composer(second).press("ArrowUp")
    expect(composer(second)).to_have_value("my own")
    composer(first).fill("a draft")
    expect(second.locator(".composer-context")).to_contain_text("Editing your message")
    expect(composer(second)).to_have_value("my own")
    composer(second).press("Escape")
    expect(composer(second)).to_have_value("a draft")


def test_where_storage_is_forbidden_one_signs_in_and_comes_to_what_one_wanted(
    stranger: Person, ana: Person, exchange: Talk
) -> None:
    stranger.context.add_init_script(_NO_STORAGE)
    page = stranger.open(f"/#/c/{exchange.id}")
    page.get_by_label("Username").fill(ana.username)
    page.get_by_label("Password").fill(ana.signed_in.password)
    page.keyboard.press("Enter")
    expect(bubble(page, "hello")).to_be_visible()
    write(page, "kept nowhere")
    expect(bubble(page, "kept nowhere")).to_be_visible()


def test_where_storage_is_full_drafts_and_settings_hold_until_the_page_is_loaded_again(
    ana: Person, exchange: Talk
) -> None:
    ana.context.add_init_script(_FULL_STORAGE)
    page = open_conversation(ana, exchange.id)
    composer(page).fill("half a sen")
    page.evaluate("location.hash = '#/settings/notifications'")
    count = page.get_by_label("unread messages in the title", exact=False)
    count.uncheck()
    row(page, exchange.people[1].username).click()
    expect(composer(page)).to_have_value("half a sen")
    page.evaluate("location.hash = '#/settings/notifications'")
    expect(count).not_to_be_checked()


def test_a_browser_that_cannot_notify_from_a_page_says_so_once(ana: Person, bob: Person, exchange: Talk) -> None:
    ana.context.add_init_script(_NOTIFIES_NOT)
    page = ana.open("/#/settings/notifications")
    page.locator("#notify").check()
    exchange.say(bob, "anybody there?")
    expect(page.locator("k-notes .note")).to_have_text("This browser cannot show notifications.")
    page.reload()
    expect(page.locator("#notify")).not_to_be_checked()


@pytest.mark.parametrize("type_", ["drop", "paste"])
def test_a_file_does_not_replace_the_page_and_is_refused_in_words(ana: Person, exchange: Talk, type_: str) -> None:
    page = open_conversation(ana, exchange.id)
    assert page.evaluate(_GIVE_FILE, "dragover")
    assert page.evaluate(_GIVE_FILE, type_)
    expect(page.locator("k-notes .note")).to_have_text("Files and pictures cannot be sent, only text.")


def test_a_view_of_a_newer_version_that_does_not_fit_offers_to_reload(ana: Person, exchange: Talk) -> None:
    def newer(route: Route) -> None:
        route.fulfill(content_type="text/javascript", body="import { newer } from '../element.js'; newer();")

    ana.page.route(re.compile(r"/views/search\.js|/dialogs/report\.js"), newer)
    page = open_conversation(ana, exchange.id)
    bubble(page, "hello").hover()
    bubble(page, "hello").get_by_role("button", name="Message actions").click()
    page.get_by_role("menuitem", name="Report…").click()
    expect(page.locator("k-notes .note")).to_contain_text("a new version of Klatsch has come")
    page.get_by_role("link", name="Search messages").click()
    expect(page.get_by_role("heading", name="This part of the page could not be loaded")).to_be_visible()
    page.unroute(re.compile(r"/views/search\.js|/dialogs/report\.js"))
    page.get_by_role("button", name="Reload").click()
    expect(page.get_by_label("Words in the message")).to_be_visible()


def test_who_is_signed_out_elsewhere_is_told_so_and_who_signs_out_is_not(ana: Person, exchange: Talk) -> None:
    first = open_conversation(ana, exchange.id)
    second = open_second(ana, exchange)
    second.get_by_role("button", name="More").click()
    second.get_by_role("menuitem", name="Sign out").click()
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(first.locator("k-notes .note")).to_have_text("You have been signed out.")
    expect(first.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(second.locator("k-notes .note")).to_have_count(0)
