"""Finding conversations that are not on the loaded part of the list, and keys that belong to an input method."""

from playwright.sync_api import Page, Request, expect

from tests.page.people import People, Person
from tests.page.site import Site
from tests.page.steps import composer, open_conversation
from tests.page.talks import Talk
from tests.page.test_many import join

_LOADED = 20
"""Conversations that the first screen loads."""


def search(page: Page, text: str) -> None:
    page.keyboard.press("Control+k")
    expect(page.locator(".switcher input")).to_be_focused()
    page.keyboard.type(text)


def test_what_is_typed_right_after_the_first_ctrl_k_goes_into_the_switcher(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    page = open_conversation(ana, talk.id)
    expect(composer(page)).to_be_focused()
    is_there = page.evaluate(
        """() => {
            const key = { key: 'k', ctrlKey: true, bubbles: true, cancelable: true };
            document.activeElement.dispatchEvent(new KeyboardEvent('keydown', key));
            return document.activeElement.matches('.switcher input');
        }"""
    )
    assert is_there
    page.keyboard.type(bob.username)
    expect(page.get_by_role("option").first).to_contain_text(bob.username)
    expect(composer(page)).to_have_value("")


def test_ctrl_k_finds_a_group_that_is_not_on_the_loaded_part_of_the_list(site: Site, people: People) -> None:
    member = site.register()
    join(site, member, 150)
    page = people.person(member).open("/")
    expect(page.locator("k-list li").first).to_be_visible()
    search(page, "Group 145")
    expect(page.get_by_role("option")).to_have_text(["Group 145Group"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Group 145")).to_be_visible()


def test_ctrl_k_loads_no_more_than_1000_conversations(site: Site, people: People) -> None:
    member = site.register()
    join(site, member, 1_300)
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/conversations?" in request.url:
            asked.append(request.url)

    page = people.person(member).open("/")
    expect(page.locator("k-list li").first).to_be_visible()
    page.on("request", note)
    search(page, "Group 1250")
    expect(page.locator(".switcher-note")).to_have_text("Nothing has this name.")
    assert 1_000 / 100 <= len(asked) <= 1_000 / 100 + 1


def test_answers_to_what_is_not_written_any_more_are_not_shown(site: Site, people: People) -> None:
    member = site.register()
    join(site, member, 150)
    person = people.person(member)
    page = person.open("/")
    expect(page.locator("k-list li").first).to_be_visible()
    with page.expect_request("**/api/v1/conversations?*"):
        search(page, "Group 145")
    page.locator(".switcher input").fill("Group 12")
    names = ["Group 12", *(f"Group 12{digit}" for digit in range(10))]
    expect(page.get_by_role("option")).to_have_text([f"{name}Group" for name in names])


def test_alt_and_arrow_down_go_on_behind_the_loaded_part_of_the_list(site: Site, people: People) -> None:
    member = site.register()
    join(site, member, _LOADED + 10)
    last = member.ask("GET", f"conversations?limit={_LOADED}")["results"][-1]
    page = open_conversation(people.person(member), last["id"])
    expect(page.get_by_role("heading", name=last["title"])).to_be_visible()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.get_by_role("heading", name=f"Group {_LOADED + 1}", exact=True)).to_be_visible()


def press_enter(page: Page, field: str) -> None:
    """Presses Enter as Safari says it when an input method takes it."""
    page.locator(field).evaluate(
        """(field) => field.dispatchEvent(
            new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }))"""
    )


def test_enter_that_an_input_method_takes_chooses_nothing(ana: Person, bob: Person) -> None:
    talk = Talk(ana, bob)
    talk.say(bob, "hello")
    page = open_conversation(ana, talk.id)
    page.keyboard.type(":smi")
    expect(page.get_by_role("option").first).to_be_visible()
    press_enter(page, "k-composer textarea")
    expect(composer(page)).to_have_value(":smi")
    page.keyboard.press("Escape")

    search(page, bob.username)
    expect(page.get_by_role("option").first).to_contain_text(bob.username)
    press_enter(page, ".switcher input")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.goto(f"{ana.site.origin}/#/new-group")
    page.locator(".chooser input").press_sequentially(bob.username)
    expect(page.locator(".chooser [role=option]")).to_have_text([bob.username])
    press_enter(page, ".chooser input")
    expect(page.locator(".chooser .chip")).to_have_count(0)
    page.locator(".chooser input").press("Enter")
    expect(page.locator(".chooser .chip")).to_have_count(1)
