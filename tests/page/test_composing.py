"""The composer and the keyboard: sending, input methods, completion, the switcher, and walking by keys alone."""

import re

from playwright.sync_api import Page, expect

from tests.page.people import NARROW, People, Person
from tests.page.steps import bubble, composer, open_conversation, texts, write
from tests.page.talks import Talk


def press_enter(page: Page, **more: object) -> None:
    """Presses Enter as a browser says it while an input method composes."""
    page.evaluate(
        """(more) => document.querySelector('k-composer textarea').dispatchEvent(
            new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...more }))""",
        more,
    )


def test_enter_sends_and_shift_enter_is_a_new_line_and_the_focus_stays(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    expect(composer(page)).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(page.locator("k-message.own")).to_have_count(1)
    assert texts(page)[-1] == "one\ntwo"
    expect(composer(page)).to_be_focused()
    expect(composer(page)).to_have_value("")


def test_enter_never_sends_while_an_input_method_composes(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    composer(page).fill("にほん")
    press_enter(page, isComposing=True)
    press_enter(page, keyCode=229)
    expect(composer(page)).to_have_value("にほん")
    press_enter(page)
    expect(bubble(page, "にほん")).to_be_visible()


def test_on_touch_enter_is_a_new_line_and_the_button_sends(people: People, bob: Person) -> None:
    ana = people.member(size=NARROW, has_touch=True, is_mobile=True)
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    page = open_conversation(ana, talk.id)
    composer(page).tap()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    expect(composer(page)).to_have_value("one\ntwo")
    page.get_by_role("button", name="Send", exact=True).tap()
    expect(page.locator("k-message.own")).to_have_count(1)


def test_a_mention_is_completed_by_keyboard_with_those_who_spoke_first(
    people: People, ana: Person, bob: Person
) -> None:
    zoe = people.member()
    names = [bob.username, zoe.username]
    for other in (bob, zoe):  # who has written to Ana is added to her group, others are invited
        Talk(ana, other).say(other, "hello")
    group = ana.ask("POST", "conversations", {"title": "Tea", "members": names})["id"]
    zoe.ask("POST", f"conversations/{group}/messages", {"content": "first", "client_id": "z-1"})
    page = open_conversation(ana, group)
    page.keyboard.type("look @dora")
    options = page.get_by_role("listbox").get_by_role("option")
    expect(options).to_have_count(2)
    expect(options.first).to_have_text(re.compile(zoe.username))
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(composer(page)).to_have_value(f"look @{bob.username} ")
    page.keyboard.press("Enter")
    expect(page.locator("k-message.own .mention")).to_have_text(f"@{bob.username}")


def test_an_emoji_is_completed_by_its_name_and_escape_leaves_the_text(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    page.keyboard.type("done :tad")
    expect(page.get_by_role("option").first).to_contain_text("tada")
    page.keyboard.press("Tab")
    expect(composer(page)).to_have_value("done 🎉 ")
    page.keyboard.type(":smi")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(composer(page)).to_have_value("done 🎉 :smi")


def test_the_arrow_up_in_an_empty_composer_edits_ones_last_message(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    write(page, "frist")
    expect(page.locator("k-message.own .receipt")).not_to_have_class(re.compile("sending"))
    composer(page).press("ArrowUp")
    expect(composer(page)).to_have_value("frist")
    composer(page).fill("first")
    composer(page).press("Enter")
    expect(bubble(page, "first")).to_contain_text("edited")
    expect(bubble(open_conversation(bob, talk.id), "first")).to_be_visible()


def test_the_switcher_finds_conversations_and_people_and_alt_arrows_walk(
    people: People, ana: Person, bob: Person
) -> None:
    zoe = people.member()
    for other in (bob, zoe):
        Talk(ana, other).say(other, f"from {other.username}")
    page = ana.open("/")
    expect(page.locator("k-list li")).to_have_count(2)
    page.keyboard.press("Control+k")
    page.keyboard.type(bob.username)
    expect(page.get_by_role("option").first).to_contain_text(bob.username)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=bob.username)).to_be_visible()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_role("heading", name=zoe.username)).to_be_visible()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.get_by_role("heading", name=bob.username)).to_be_visible()


def test_a_question_mark_shows_all_keys_but_not_while_one_writes(ana: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    page.keyboard.type("really?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("log").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_messages_are_walked_and_acted_on_by_keyboard_alone(ana: Person, bob: Person, talk: Talk) -> None:
    talk.say(bob, "react to this")
    page = open_conversation(ana, talk.id)
    bubble(page, "hello").focus()
    page.keyboard.press("ArrowDown")
    expect(bubble(page, "react to this")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Reply")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.get_by_role("menuitem", name="React with thumbs up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(bubble(page, "react to this").locator(".reaction").first).to_have_text("👍1")
