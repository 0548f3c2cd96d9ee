"""Nothing that people write runs: 200 payloads in every field that is shown, and the browser as the judge."""

import re

from playwright.sync_api import Page, expect

from tests.page.payloads import payloads
from tests.page.people import People, Person
from tests.page.steps import bubbles, open_conversation
from tests.page.talks import Talk, ask_patiently

_SHORT = 200
_ONLY_OURS = """() => [...document.querySelectorAll('k-log *, k-list *, main *')].map((element) => element.localName)"""
_FORBIDDEN = {
    "script",
    "img",
    "iframe",
    "object",
    "embed",
    "style",
    "link",
    "meta",
    "base",
    "video",
    "audio",
    "math",
    "frame",
}


def check_nothing_ran(page: Page) -> None:
    assert page.evaluate("globalThis.__ran") is None
    assert not _FORBIDDEN & set(page.evaluate(_ONLY_OURS))
    handlers = page.evaluate(
        """() => [...document.querySelectorAll('main *')].flatMap((element) =>
            element.getAttributeNames().filter((name) => name.startsWith('on')))"""
    )
    assert handlers == []
    for href in page.evaluate(
        "() => [...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))"
    ):
        assert re.match(r"#/|#main|https?://", href), href


def test_there_are_200_payloads() -> None:
    assert len(payloads()) >= 200


def test_no_payload_in_a_message_runs_and_each_is_shown_as_it_was_written(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "the first")
    talk.write_all(bob, payloads())
    page = open_conversation(ana, talk.id)
    shown: set[str] = set()
    for _ in range(40):
        check_nothing_ran(page)
        shown |= set(
            page.evaluate("() => [...document.querySelectorAll('k-message')].map((one) => one.shown.message.content)")
        )
        if set(payloads()) <= shown:
            break
        before = bubbles(page).last.get_attribute("data-id")
        page.get_by_role("log").evaluate("log => { log.scrollTop = log.scrollHeight; }")
        page.wait_for_function("id => [...document.querySelectorAll('k-message')].at(-1).dataset.id !== id", arg=before)
    assert set(payloads()) <= shown
    for link in page.locator("k-message a").all()[:20]:
        expect(link).to_have_attribute("rel", re.compile("noopener"))


def test_no_payload_in_any_other_field_runs(people: People, ana: Person) -> None:
    bob = people.member()
    Talk(ana, bob).say(bob, "hello")  # who has written to Ana is added to her groups, others are invited
    for number, text in enumerate(payloads()[:100:5]):
        line = " ".join(text.split())[:_SHORT]
        body = {"title": line, "description": line, "members": [bob.username]}
        group = ask_patiently(ana, "POST", "conversations", body)["id"]
        sent = ask_patiently(
            ana, "POST", f"conversations/{group}/messages", {"content": text, "client_id": f"p-{number}"}
        )
        ask_patiently(ana, "PUT", f"messages/{sent['id']}/pin")
    ask_patiently(
        ana,
        "PATCH",
        "me",
        {"display_name": "<img src=x onerror=globalThis.__ran=1>", "about": "<script>globalThis.__ran=1</script>"},
    )
    page = bob.open("/")
    expect(page.locator("k-list li").first).to_be_visible()
    check_nothing_ran(page)
    for link in page.locator("k-list li a").all()[:6]:
        link.click()
        expect(bubbles(page).first).to_be_visible()
        check_nothing_ran(page)
    page.locator("button.pins").click()
    check_nothing_ran(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    check_nothing_ran(page)


def test_a_draft_and_the_composer_run_nothing(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    page = open_conversation(ana, talk.id)
    field = page.locator("k-composer textarea")
    for text in payloads()[:60:6]:
        field.fill(text)
        check_nothing_ran(page)
    page.reload()
    expect(field).not_to_have_value("")
    page.evaluate("location.hash = '#/'")
    expect(page.locator("k-list li")).to_contain_text("Draft:")
    check_nothing_ran(page)
