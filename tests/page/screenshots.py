"""`make screenshots`: pictures of the main views in docs/images/, in both themes and two widths."""

import itertools
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.people import NARROW, WIDE, People, Person
from tests.page.site import Member, Site

_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
_LOOKS = list(itertools.product(("light", "dark"), (NARROW, WIDE)))
_TALK = (
    (0, "Hi! Are you coming to the coffee round at *four*?"),
    (1, "Yes 🙂 I bring cake:\n- cheesecake\n- apple cake"),
    (0, "Perfect. I found us a table by the window."),
    (0, "The recipe is at https://example.org/apple-cake"),
    (1, "> a table by the window\n\nThat is the best one. See you there!"),
)


class Scene:
    """A person with conversations of several kinds, who looks at them in each picture."""

    def __init__(self, site: Site) -> None:
        run = secrets.token_hex(2)
        self.ana, bob, self.carol = (site.register(f"{name}-{run}") for name in ("ana", "bob", "carol"))
        for writer, content in _TALK:
            sent = self._write((self.ana, bob)[writer], (bob, self.ana)[writer], content)
        self.direct = str(sent["conversation"])
        bob.ask("PUT", f"messages/{sent['id']}/reactions/👍")
        self.ana.ask("PUT", f"messages/{sent['id']}/reactions/❤️")
        self._write(self.carol, self.ana, "Did you see the new café by the river?")
        members = [bob.username, self.carol.username]
        about = {"title": "Coffee round", "description": "Every day at four.\nBring cake.", "members": members}
        group = self.ana.ask("POST", "conversations", about)
        self.group = str(group["id"])
        bob.ask("POST", f"conversations/{self.group}/messages", {"content": f"Who comes today, @{self.ana.username}?"})
        self.ana.ask("PATCH", "me", {"display_name": "Ana", "about": "Coffee, mostly."})
        books = {"title": "Book club", "description": "One book a month.", "members": [self.ana.username]}
        self._stranger(site).ask("POST", "conversations", books)

    @staticmethod
    def _stranger(site: Site) -> Member:
        return site.register(f"dan-{secrets.token_hex(2)}")

    @staticmethod
    def _write(writer: Member, reader: Member, content: str) -> dict[str, object]:
        sent: dict[str, object] = writer.ask("POST", f"users/{reader.username}/messages", {"content": content})
        return sent


@pytest.fixture(scope="session")
def scene(site: Site) -> Scene:
    return Scene(site)


def _take(person: Person, view: tuple[str, str, str], theme: str, size: tuple[int, int]) -> None:
    """Opens a view, given by its name, its path and a text by which it is known, and takes its picture."""
    name, path, text = view
    _FOLDER.mkdir(exist_ok=True)
    person.page.goto("about:blank")  # a view that differs behind the # alone is not loaded anew
    person.open(path)
    expect(person.page.get_by_text(text).locator("visible=true").first).to_be_visible()
    expect(person.page.locator("[aria-busy=true]")).to_have_count(0)
    person.page.wait_for_timeout(1_000)  # a picture is not judged by a program
    person.page.screenshot(path=_FOLDER / f"{name}-{theme}-{size[0]}.png")


@pytest.mark.parametrize(("theme", "size"), _LOOKS)
def test_pictures_are_taken_of_the_views_before_signing_in(people: People, theme: str, size: tuple[int, int]) -> None:
    somebody = people.person(size=size, theme=theme)
    for view in (
        ("sign-in", "/#/login", "Forgot your password?"),
        ("sign-up", "/#/signup", "Create your account"),
        ("not-found", "/nothing/here", "There is nothing here"),
    ):
        _take(somebody, view, theme, size)


@pytest.mark.parametrize(("theme", "size"), _LOOKS)
def test_pictures_are_taken_of_the_views_of_a_person(
    people: People, scene: Scene, theme: str, size: tuple[int, int]
) -> None:
    ana = people.person(scene.ana, size=size, theme=theme)
    for view in (
        ("list", "/#/", "Coffee round"),
        ("conversation", f"/#/c/{scene.direct}", "cheesecake"),
        ("details", f"/#/c/{scene.group}/details", "Leave group"),
        ("new-group", "/#/new-group", "Create group"),
        ("invitations", "/#/invitations", "Book club"),
        ("people", "/#/people", "New group"),
        ("search", "/#/search/coffee%20or%20cake%20or%20caf%C3%A9", "messages found"),
        ("settings", "/#/settings/profile", "Show others what I have read"),
        ("sessions", "/#/settings/sessions", "This browser"),
    ):
        _take(ana, view, theme, size)
