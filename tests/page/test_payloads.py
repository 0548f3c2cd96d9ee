"""Text that would run if it were taken for HTML or an address, in every field that people fill, is shown as text."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.page.people import People, Person
from tests.page.steps import bubbles, composer, open_conversation
from tests.page.talks import Talk

PAYLOADS = (Path(__file__).parent / "payloads.txt").read_text().split("\n")[:-1]
_ONE_LINE = [payload for payload in PAYLOADS if not re.search(r"[\t\u2028]", payload)]
"""The payloads that titles and display names may have."""
_TITLE_MOST, _DESCRIPTION_MOST, _NAME_MOST, _DETAIL_MOST = 200, 500, 64, 1000
_MANY_S = 900
_NEVER_SHOWN: Final = {
    *("audio", "base", "embed", "frame", "iframe", "img", "link", "math", "meta", "object", "script", "style", "video")
}
"""Elements that the page has none of in its list and below `main`."""
_ELEMENTS: Final = "() => [...document.querySelectorAll('k-list *, main *')].map((one) => one.localName)"
_HANDLERS: Final = """() => [...document.querySelectorAll('main *')].flatMap((one) =>
    one.getAttributeNames().filter((name) => name.startsWith('on')))"""
_ADDRESSES: Final = "() => [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))"

pytestmark = pytest.mark.timeout(_MANY_S)


@pytest.fixture(autouse=True)
def nothing_runs(people: People) -> Iterator[None]:
    """Checks that no payload ran. One that ran opens a dialog; the watch of all pages sees what the policy stops."""
    ran: list[str] = []

    def note(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    people.on_page = lambda page: page.on("dialog", note)
    yield
    assert ran == []


def joined(most: int, payloads: Sequence[str] = PAYLOADS, between: str = " ") -> list[str]:
    """Returns payloads in texts of at most so many characters; those that are longer alone are left out."""
    texts: list[str] = []
    for payload in (one for one in payloads if len(one) <= most):
        if texts and len(texts[-1]) + len(between) + len(payload) <= most:
            texts[-1] += between + payload
        else:
            texts.append(payload)
    return texts


def poke(page: Page) -> None:
    """Moves over what is shown and gives it the focus, for handlers of such events; fails for elements of a payload."""
    page.mouse.move(20, 20)
    page.mouse.move(600, 400, steps=20)
    page.keyboard.press("Tab")
    assert not _NEVER_SHOWN & set(page.evaluate(_ELEMENTS))
    assert page.evaluate(_HANDLERS) == []
    assert [href for href in page.evaluate(_ADDRESSES) if not re.match(r"#/|#main|https?://", href)] == []


def is_shown(page: Page, text: str) -> None:
    """Fails unless the page shows the whole text. White space is not compared, and dead characters are not shown."""
    page.wait_for_function(
        "(text) => document.body.textContent.replace(/\\s+/g, '').includes(text.replace(/\\s+/g, ''))", arg=text
    )


def test_there_are_200_payloads_and_each_is_another() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 200


def test_messages_never_run_and_are_shown_as_they_were_written(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "the first")
    talk.write_all(bob, PAYLOADS)
    page = open_conversation(ana, talk.id)
    shown: set[str] = set()
    while not shown.issuperset(PAYLOADS):
        poke(page)
        shown |= set(
            page.evaluate("[...document.querySelectorAll('k-message')].map((one) => one.shown.message.content)")
        )
        before = bubbles(page).last.get_attribute("data-id")
        page.get_by_role("log").evaluate("(log) => { log.scrollTop = log.scrollHeight; }")
        if before == talk.ids[-1]:
            break
        page.wait_for_function("id => [...document.querySelectorAll('k-message')].at(-1).dataset.id !== id", arg=before)
    assert shown.issuperset(PAYLOADS)
    for link in page.locator("k-message a").all():
        expect(link).to_have_attribute("rel", re.compile("noopener"))


def test_what_is_typed_and_kept_as_a_draft_never_runs(ana: Person, bob: Person) -> None:
    conversation = ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open(f"/#/c/{conversation}")
    box = composer(page)
    for text in joined(3000):
        box.fill(text)
        page.evaluate("location.hash = '#/'")
        expect(page.get_by_role("navigation", name="Conversations")).to_contain_text("Draft")
        poke(page)
        page.evaluate(f"location.hash = '#/c/{conversation}'")
        expect(box).to_have_value(text)


def test_titles_and_descriptions_never_run(ana: Person, bob: Person) -> None:
    ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open("/#/invitations")
    for title, description in zip(
        joined(_TITLE_MOST, _ONE_LINE), [*joined(_DESCRIPTION_MOST), *PAYLOADS], strict=False
    ):
        body = {"title": title, "description": description, "members": [ana.username]}
        group = bob.ask("POST", "conversations", body)["id"]
        page.evaluate(f"location.hash = '#/c/{group}/details'")
        is_shown(page, description)
        is_shown(page, title)
        poke(page)
        bob.ask("DELETE", f"conversations/{group}")


def test_previews_pins_and_the_switcher_never_run(ana: Person, bob: Person) -> None:
    ana.site.talk(bob.signed_in, ana.signed_in, count=1)  # so that Ana may add Bob
    for number, text in enumerate(PAYLOADS[:100:5]):
        title = _ONE_LINE[number]
        body = {"title": title, "description": title, "members": [bob.username]}
        group = ana.ask("POST", "conversations", body)["id"]
        sent = ana.ask("POST", f"conversations/{group}/messages", {"content": text, "client_id": f"p-{number}"})
        ana.ask("PUT", f"messages/{sent['id']}/pin")
    page = bob.open("/")
    expect(page.locator("k-list li").first).to_be_visible()
    poke(page)
    for link in page.locator("k-list li a").all()[:6]:
        link.click()
        expect(bubbles(page).first).to_be_visible()
        poke(page)
    page.locator("button.pins").click()
    poke(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()
    poke(page)


def test_invitations_never_run(ana: Person, bob: Person) -> None:
    page = ana.open("/#/invitations")
    for number, description in enumerate(joined(_DESCRIPTION_MOST)):
        body = {"title": _ONE_LINE[number][:_TITLE_MOST], "description": description, "members": [ana.username]}
        group = bob.ask("POST", "conversations", body)["id"]
        is_shown(page, description)
        poke(page)
        bob.ask("DELETE", f"conversations/{group}")


def test_display_names_and_texts_about_people_never_run(ana: Person, bob: Person) -> None:
    conversation = ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open("/#/")
    for number, name in enumerate(joined(_NAME_MOST, _ONE_LINE)):
        texts = joined(_DESCRIPTION_MOST)
        bob.ask("PATCH", "me", {"display_name": name, "about": texts[number % len(texts)]})
        page.evaluate(f"location.hash = '#/c/{conversation}/details'")
        is_shown(page, name)
        poke(page)
        page.evaluate("location.hash = '#/'")
        expect(page.get_by_role("heading", name="No conversation is open")).to_be_visible()
    own = bob.open("/#/settings/profile")
    expect(own.get_by_label("Display name")).to_have_value(name)
    poke(own)


def test_addresses_and_searches_never_run(ana: Person) -> None:
    page = ana.open("/#/new-group")
    search = page.get_by_role("combobox", name="Members")
    for text in joined(_TITLE_MOST):
        page.get_by_label("Name").fill(text)
        search.fill(text[:_NAME_MOST])
        poke(page)
    for payload in PAYLOADS:
        for path in ("with", "c", "settings", "nothing"):
            page.evaluate("(parts) => { location.hash = '#/' + parts.join('/'); }", [path, payload])
        page.evaluate("(part) => { location.hash = '#/c/' + encodeURIComponent(part) + '/m/1'; }", payload)
    poke(page)


def test_names_and_addresses_of_new_accounts_never_run(stranger: Person) -> None:
    page = stranger.open("/#/signup")
    for text in joined(_NAME_MOST)[::4]:
        page.get_by_label("Username").fill(text)
        page.get_by_label("E-mail address").fill(text)
        page.get_by_label("Password").fill("1")
        with page.expect_response("**/auth/register"):
            page.keyboard.press("Enter")
        expect(page.get_by_label("Username")).to_have_attribute("aria-invalid", "true")
        poke(page)


def test_reports_and_answers_to_them_never_run(ana: Person, bob: Person) -> None:
    conversation = ana.site.talk(ana.signed_in, bob.signed_in, count=30)
    theirs = [
        one
        for one in ana.ask("GET", f"conversations/{conversation}/messages")["results"]
        if one["sender"] != ana.username
    ]
    page = ana.open("/#/")
    for message, detail in zip(theirs, joined(_DETAIL_MOST), strict=False):
        page.evaluate(
            "async (message) => (await import(document.querySelector('script[type=module]').src.replace('shell.js', "
            "'dialogs/report.js'))).openReport(message)",
            {"id": message["id"], "sender": message["sender"]},
        )
        page.get_by_label("Details (optional)").fill(detail)
        page.get_by_role("button", name="Send report").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        poke(page)


def test_links_of_letters_never_run(stranger: Person) -> None:
    for payload in PAYLOADS[::10]:
        fragment = httpx.QueryParams({"uid": payload, "token": payload})
        for path in ("reset", "confirm"):
            page = stranger.open(f"/{path}#{fragment}")
            expect(page.get_by_role("heading").first).to_be_visible()
            page.goto("about:blank")
