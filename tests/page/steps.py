"""Steps of people on the page, and finders of what they see there."""

from playwright.sync_api import Locator, Page, expect

from tests.page.people import Person


def open_conversation(person: Person, conversation: str) -> Page:
    """Opens a conversation by its address, and waits until its messages are there."""
    page = person.open(f"/#/c/{conversation}")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")
    return page


def composer(page: Page) -> Locator:
    return page.locator("k-composer textarea")


def write(page: Page, text: str) -> None:
    """Writes into the composer, and sends by Enter."""
    composer(page).fill(text)
    composer(page).press("Enter")


def bubbles(page: Page) -> Locator:
    return page.locator("k-message")


def bubble(page: Page, text: str) -> Locator:
    """Finds the messages that show this text."""
    return page.locator("k-message").filter(has=page.get_by_text(text, exact=True))


def texts(page: Page) -> list[str]:
    """Returns the texts of all bubbles, from above."""
    found: list[str] = page.locator("k-message .bubble-text").all_inner_texts()
    return found


def receipt(page: Page, text: str) -> Locator:
    """Finds the mark of one's own message."""
    return bubble(page, text).locator(".receipt")


def choose(page: Page, text: str, action: str) -> None:
    """Opens the menu of a message, and chooses an action."""
    bubble(page, text).hover()
    bubble(page, text).get_by_role("button", name="Message actions").click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def scroll_to(page: Page, top: float) -> None:
    page.get_by_role("log").evaluate("(log, top) => { log.scrollTop = top; }", top)


def top_of(page: Page, text: str) -> float:
    """Returns the distance of a bubble from the upper edge of the messages, in pixels."""
    box, log = bubble(page, text).bounding_box(), page.get_by_role("log").bounding_box()
    assert box is not None
    assert log is not None
    return float(box["y"] - log["y"])


def row(page: Page, name: str) -> Locator:
    """Finds the row of a conversation in the list."""
    return page.locator("k-list li").filter(has=page.get_by_text(name, exact=True))
