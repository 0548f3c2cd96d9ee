"""Settings in a browser: the profile, the theme, the password, sessions, tokens, blocked people, leaving."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.page.people import NARROW, People, Person, check_axe
from tests.page.site import Site
from tests.page.test_entry import NEW, is_in, wrong

SECTIONS = ("profile", "appearance", "notifications", "password", "sessions", "tokens", "blocked", "account")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_section_narrow_or_wide(people: People, theme: str) -> None:
    ana = people.member(theme=theme)
    page = ana.open("/#/settings")
    expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    for section in SECTIONS:
        page.evaluate(f"location.hash = '#/settings/{section}'")
        expect(page.locator(".settings-section h2")).to_be_focused()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        check_axe(page)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    for section in SECTIONS:
        page.evaluate(f"location.hash = '#/settings/{section}'")
        expect(page.locator(".settings-section h2")).to_be_focused()
        check_axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), section


def test_a_profile_is_changed_and_others_see_it(ana: Person, bob: Person) -> None:
    ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open("/#/settings/profile")
    page.get_by_label("Display name").fill("أنا Ana")
    page.get_by_label("About you").fill("Coffee,\nmostly.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your changes are saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Display name")).to_have_value("أنا Ana")
    expect(page.get_by_label("Display name")).to_have_attribute("dir", "auto")

    [conversation] = bob.ask("GET", "conversations")["results"]
    seen = bob.open(f"/#/c/{conversation['id']}/details")
    expect(seen.get_by_role("heading", name="أنا Ana")).to_be_visible()
    expect(seen.get_by_text("Coffee, mostly.")).to_be_visible()
    check_axe(seen)


def test_a_text_that_is_refused_is_told_beside_its_field(ana: Person) -> None:
    page = ana.open("/#/settings/profile")
    page.get_by_label("Display name").fill("   ")
    page.get_by_role("button", name="Save").click()
    wrong(page, "Display name", "at least one visible character")


def test_a_theme_holds_over_a_reload_and_the_system_is_the_default(people: People) -> None:
    ana = people.member(theme="dark")
    page = ana.open("/#/settings/appearance")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_label("Light").check()
    page.wait_for_function(f"(dark) => {background} !== dark", arg=dark)
    light = page.evaluate(background)
    page.reload()
    expect(page.get_by_label("Light")).to_be_checked()
    assert page.evaluate(background) == light
    page.get_by_label("As on this device").check()
    page.wait_for_function(f"(dark) => {background} === dark", arg=dark)


def test_notifications_are_asked_for_once_and_switched_off(people: People) -> None:
    ana = people.member(permissions=["notifications"])
    page = ana.open("/#/settings/notifications")
    box = page.get_by_label("Notify me of new messages")
    expect(box).not_to_be_checked()
    box.check()
    page.reload()
    expect(box).to_be_checked()
    box.uncheck()
    page.reload()
    expect(box).not_to_be_checked()


def test_a_browser_that_refuses_notifications_is_told_of(ana: Person) -> None:
    page = ana.open("/#/settings/notifications")
    box = page.get_by_label("Notify me of new messages")
    box.click()
    expect(page.get_by_role("alert")).to_contain_text("This browser does not allow notifications")
    expect(box).not_to_be_checked()


def test_the_count_in_the_title_is_switched_off_and_on(ana: Person, bob: Person) -> None:
    ana.site.talk(bob.signed_in, ana.signed_in, count=1)
    page = ana.open("/#/settings/notifications")
    expect(page).to_have_title(re.compile(r"^\(1\) "))
    box = page.get_by_label("Show the number of unread messages in the title")
    box.uncheck()
    expect(page).to_have_title(re.compile(r"^Settings"))
    page.reload()
    expect(box).not_to_be_checked()
    box.check()
    expect(page).to_have_title(re.compile(r"^\(1\) "))


def test_a_password_is_changed_and_this_session_goes_on(ana: Person, people: People, site: Site) -> None:
    elsewhere = people.person()
    login = {"username": ana.username, "password": ana.signed_in.password}
    elsewhere.context.request.post(f"{site.origin}/api/v1/auth/login", data=login)
    other = elsewhere.open()
    is_in(other)
    page = ana.open("/#/settings/password")
    page.get_by_label("Current password").fill("wrong")
    page.get_by_label("New password").fill(NEW)
    page.keyboard.press("Enter")
    wrong(page, "Current password", "This is not your password.")
    page.get_by_label("Current password").fill(ana.signed_in.password)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    expect(page.get_by_label("New password")).to_have_value("")
    page.reload()
    is_in(page)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_another_session_is_revoked_and_that_browser_is_signed_out(ana: Person, people: People, site: Site) -> None:
    elsewhere = people.person(
        user_agent="Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
    )
    login = {"username": ana.username, "password": ana.signed_in.password}
    elsewhere.context.request.post(f"{site.origin}/api/v1/auth/login", data=login)
    other = elsewhere.open()
    is_in(other)
    page = ana.open("/#/settings/sessions")
    expect(page.get_by_text("This browser")).to_be_visible()
    page.get_by_role("button", name="Revoke the session on Chrome on Linux").click()
    dialog = page.get_by_role("dialog", name="Revoke this session?")
    check_axe(page)
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The session is revoked.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Revoke the session"))).to_have_count(0)
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_token_is_shown_once_works_and_is_revoked(ana: Person, site: Site) -> None:
    page = ana.open("/#/settings/tokens")
    expect(page.get_by_text("You have no access tokens.")).to_be_visible()
    page.get_by_role("button", name="Create token").click()
    dialog = page.get_by_role("dialog", name="Your new access token")
    token = dialog.get_by_label("Access token").input_value()
    check_axe(page)

    def me() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{site.origin}/api/v1/me", headers=headers, trust_env=False, timeout=60)

    assert me().json()["username"] == ana.username
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name=re.compile("Revoke the token")).click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The token is revoked.")).to_be_visible()
    assert me().status_code == 401


def test_a_blocked_person_is_listed_and_unblocked(ana: Person, bob: Person) -> None:
    ana.ask("PUT", f"blocks/{bob.username}")
    page = ana.open("/#/settings/blocked")
    page.get_by_role("button", name=f"Unblock {bob.username}").click()
    expect(page.get_by_text(f"{bob.username} is not blocked any more.")).to_be_visible()
    assert ana.ask("GET", "blocks")["results"] == []


def test_an_account_is_deactivated_with_its_password(ana: Person) -> None:
    page = ana.open("/#/settings/account")
    page.get_by_role("button", name="Deactivate account").click()
    dialog = page.get_by_role("dialog", name="Deactivate account")
    expect(dialog.get_by_label("Current password")).to_be_focused()
    check_axe(page)
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    wrong(page, "Current password", "This is not your password.")
    dialog.get_by_label("Current password").fill(ana.signed_in.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Your account is deactivated.")).to_be_visible()


def test_a_list_that_cannot_be_loaded_offers_another_try(ana: Person) -> None:
    page = ana.open("/#/settings/profile")
    expect(page.get_by_label("Display name")).to_be_visible()
    with ana.offline():
        page.get_by_role("link", name="Blocked people").click()
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
        check_axe(page)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("You have not blocked anybody.")).to_be_visible()


def test_settings_are_walked_through_by_keyboard_alone(ana: Person) -> None:
    page = ana.open("/#/settings")
    page.get_by_role("link", name="Profile").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Appearance")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Light")).to_be_checked()
