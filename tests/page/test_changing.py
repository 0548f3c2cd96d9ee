"""Changes of messages: edits and their history, refused edits, deletions, quotes that follow, reactions and pins."""

import re

from playwright.sync_api import expect

from tests.page.people import Person
from tests.page.steps import bubble, bubbles, choose, composer, open_conversation, write
from tests.page.talks import Talk


def test_an_edit_shows_at_both_with_its_history(ana: Person, bob: Person, talk: Talk) -> None:
    talk.say(ana, "the frist text")
    to_bob, to_ana = open_conversation(ana, talk.id), open_conversation(bob, talk.id)
    choose(to_bob, "the frist text", "Edit")
    composer(to_bob).fill("the first text")
    composer(to_bob).press("Enter")
    for page in (to_bob, to_ana):
        expect(bubble(page, "the first text")).to_contain_text("edited")
    bubble(to_ana, "the first text").get_by_role("button", name="edited").click()
    dialog = to_ana.get_by_role("dialog", name="Edit history")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    expect(dialog).to_contain_text("the frist text")


def test_a_refused_edit_keeps_the_text_and_shows_the_other_version(ana: Person, talk: Talk) -> None:
    sent = talk.say(ana, "original")
    page = open_conversation(ana, talk.id)
    choose(page, "original", "Edit")
    ana.ask("PATCH", f"messages/{sent['id']}", {"content": "from elsewhere"})
    expect(bubble(page, "from elsewhere")).to_be_visible()
    composer(page).fill("from here")
    composer(page).press("Enter")
    context = page.locator(".composer-context")
    expect(context).to_contain_text("This message was edited meanwhile")
    expect(context).to_contain_text("from elsewhere")
    expect(composer(page)).to_have_value("from here")
    composer(page).press("Enter")
    expect(bubble(page, "from here")).to_be_visible()


def test_a_draft_waits_while_one_edits(ana: Person, talk: Talk) -> None:
    talk.say(ana, "to be edited")
    page = open_conversation(ana, talk.id)
    composer(page).fill("a draft")
    choose(page, "to be edited", "Edit")
    expect(composer(page)).to_have_value("to be edited")
    composer(page).press("Escape")
    expect(composer(page)).to_have_value("a draft")


def test_a_quote_follows_the_edit_and_the_deletion_of_its_original(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    choose(page, "hello", "Reply")
    write(page, "an answer")
    quote = bubble(page, "an answer").locator(".quote")
    expect(quote).to_contain_text("hello")
    bob.ask("PATCH", f"messages/{talk.ids[0]}", {"content": "hello again"})
    expect(quote).to_contain_text("hello again")
    bob.ask("DELETE", f"messages/{talk.ids[0]}")
    expect(quote).to_contain_text("Message deleted")
    expect(bubbles(page).first.locator(".tombstone")).to_have_text("Message deleted")


def test_a_deletion_asks_first_and_shows_a_tombstone_at_both(ana: Person, bob: Person, talk: Talk) -> None:
    talk.say(ana, "a secret")
    to_bob, to_ana = open_conversation(ana, talk.id), open_conversation(bob, talk.id)
    choose(to_bob, "a secret", "Delete…")
    to_bob.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for page in (to_bob, to_ana):
        expect(bubble(page, "Message deleted")).to_be_visible()
        expect(bubble(page, "a secret")).to_have_count(0)


def test_a_reaction_is_one_click_counts_at_once_and_tells_names(ana: Person, bob: Person, talk: Talk) -> None:
    to_bob, to_ana = open_conversation(ana, talk.id), open_conversation(bob, talk.id)
    choose(to_bob, "hello", "React with thumbs up")
    mine = bubble(to_bob, "hello").locator(".reaction").first
    expect(mine).to_have_text("👍1")
    theirs = bubble(to_ana, "hello").locator(".reaction").first
    expect(theirs).to_have_attribute("title", f"thumbs up: {ana.username}")
    theirs.dblclick()
    expect(theirs).to_have_text("👍2")
    expect(mine).to_have_text("👍2")
    expect(mine).to_have_attribute("aria-pressed", "true")
    to_bob.keyboard.press("Tab")
    mine.focus()
    told = mine.evaluate("button => getComputedStyle(button, '::after').content")
    assert told == f'"thumbs up: {ana.username} and {bob.username}"'
    mine.click()
    expect(mine).to_have_text("👍1")
    expect(mine).to_be_focused()
    expect(theirs).to_have_text("👍1")


def test_a_pinned_message_is_in_the_head_and_a_click_leads_to_it(ana: Person, bob: Person, talk: Talk) -> None:
    talk.fill(bob, 120)
    page = open_conversation(ana, talk.id)
    bob.ask("PUT", f"messages/{talk.ids[0]}/pin")
    page.get_by_role("button", name="1 pinned message").click()
    page.get_by_role("dialog", name="Pinned messages").get_by_role("button", name="hello").click()
    expect(bubble(page, "hello")).to_be_in_viewport()
    expect(bubble(page, "hello")).to_contain_text("Pinned")


def test_what_is_sent_in_the_small_markdown_is_shown_and_stored_as_typed(ana: Person, bob: Person, talk: Talk) -> None:
    page = open_conversation(ana, talk.id)
    typed = "**bold** *italic* `code` https://example.org/a?b=c.\n- one\n- two\n> quoted"
    write(page, typed)
    shown = page.locator("k-message.own .bubble-text")
    for element, text in (("strong", "bold"), ("em", "italic"), ("code", "code"), ("blockquote", "quoted")):
        expect(shown.locator(element)).to_have_text(text)
    expect(shown.locator("li")).to_have_text(["one", "two"])
    link = shown.get_by_role("link")
    expect(link).to_have_attribute("href", "https://example.org/a?b=c")
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    expect(page.locator("k-message.own .receipt")).not_to_have_class(re.compile("sending"))
    found = bob.ask("GET", f"conversations/{talk.id}/messages?limit=1")["results"][0]["content"]
    assert found == typed
