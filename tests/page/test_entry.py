"""Coming in and going out: signing up, in and out, forgotten passwords, confirmed addresses, links that sign in."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.page.people import People, Person, check_axe
from tests.page.site import Site

NEW = "cream and sugar"


def wrong(page: Page, label: str, text: str) -> None:
    """Fails unless the field of that label is marked as wrong, described by that text, and has the focus."""
    field = page.get_by_label(label, exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile(re.escape(text)))
    expect(field).to_be_focused()


def is_in(page: Page) -> None:
    expect(page.get_by_role("heading", name="Conversations", level=2)).to_be_visible()


def test_somebody_new_signs_up_and_is_signed_in(stranger: Person) -> None:
    page = stranger.open()
    page.get_by_role("link", name="Create an account").click()
    expect(page).to_have_title("Create an account · Klatsch")
    page.get_by_label("Username").fill("eva.new")
    page.get_by_label("E-mail address").fill("eva@page.example")
    page.get_by_label("Password").fill(NEW)
    page.keyboard.press("Enter")
    is_in(page)
    expect(page).to_have_url(f"{stranger.site.origin}/#/")
    page.reload()
    is_in(page)


def test_what_the_server_says_of_a_field_stands_beside_it(site: Site, stranger: Person) -> None:
    taken = site.register()
    page = stranger.open("/#/signup")
    page.get_by_role("button", name="Create account").click()
    wrong(page, "Username", "Fill in this field.")
    page.get_by_label("Username").fill(taken.username)
    page.get_by_label("E-mail address").fill("nobody@page.example")
    page.get_by_label("Password").fill("1234")
    page.get_by_role("button", name="Create account").click()
    wrong(page, "Password", "too short")
    check_axe(page)
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Create account").click()
    wrong(page, "Username", "This username is taken.")
    expect(page.get_by_label("Password")).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("E-mail address")).not_to_have_attribute("aria-invalid", "true")


def test_a_wrong_password_is_told_and_the_right_one_signs_in(site: Site, stranger: Person) -> None:
    member = site.register()
    page = stranger.open("/#/login")
    page.get_by_label("Username or e-mail address").fill(member.username)
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The username or password is wrong.")
    check_axe(page)
    page.get_by_label("Password").fill(member.password)
    page.keyboard.press("Enter")
    is_in(page)


def test_a_person_who_wanted_a_view_gets_it_after_signing_in(site: Site, stranger: Person) -> None:
    member = site.register()
    page = stranger.open("/#/settings/appearance")
    page.get_by_label("Username or e-mail address").fill(member.username)
    page.get_by_label("Password").fill(member.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Appearance")).to_be_visible()


def test_without_a_network_the_form_says_so_and_works_again(site: Site, stranger: Person) -> None:
    member = site.register()
    page = stranger.open("/#/login")
    page.get_by_label("Username or e-mail address").fill(member.username)
    page.get_by_label("Password").fill(member.password)
    with stranger.offline():
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")
    page.get_by_role("button", name="Sign in").click()
    is_in(page)


def test_signing_out_ends_the_session_and_leaves_nothing_on_the_page(ana: Person) -> None:
    page = ana.open("/#/settings/account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_focused()
    assert ana.username not in page.content()
    cookies = {cookie["name"]: cookie["value"] for cookie in ana.context.cookies()}
    answer = httpx.get(f"{ana.site.origin}/api/v1/me", cookies=cookies, trust_env=False, timeout=60)
    assert answer.status_code == 401


def test_a_forgotten_password_is_set_again_by_the_link_of_the_letter(site: Site, stranger: Person) -> None:
    member = site.register()
    page = stranger.open()
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail address", exact=True).fill(member.email)  # the view before has a field with a longer name
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Check your e-mail")).to_be_focused()
    link = site.letter_to(member.email, "reset")

    page = stranger.open(link.removeprefix(site.origin))
    expect(page).to_have_url(f"{site.origin}/#/reset")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_focused()
    page.get_by_label("New password").fill("1")
    page.keyboard.press("Enter")
    wrong(page, "New password", "too short")
    check_axe(page)
    page.get_by_label("New password").fill(NEW)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your password is set")).to_be_focused()

    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Username or e-mail address").fill(member.email)
    page.get_by_label("Password").fill(NEW)
    page.keyboard.press("Enter")
    is_in(page)
    again = stranger.open_tab(link.removeprefix(site.origin))
    again.get_by_label("New password").fill("tea and biscuits")
    again.keyboard.press("Enter")
    expect(again.get_by_role("alert")).to_contain_text("This link is not valid or has expired.")


@pytest.mark.parametrize("path", ["/reset", "/confirm"])
def test_a_link_that_has_lost_its_proof_says_so(stranger: Person, path: str) -> None:
    page = stranger.open(path)
    expect(page.get_by_role("heading", name="This link is not complete")).to_be_visible()
    check_axe(page)


def test_an_address_is_confirmed_by_a_button(stranger: Person, site: Site) -> None:
    page = stranger.open("/confirm#uid=0a000000-0000-4000-8000-00000000000a&token=wrong")
    expect(page).to_have_url(f"{site.origin}/#/confirm")
    check_axe(page)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("This link is not valid or has expired.")


def test_a_link_of_the_demo_signs_in_once(site: Site, stranger: Person, people: People) -> None:
    said = site.system.manage("demo", "--port", str(site.gateway.port))
    links = re.findall(r"http://\S+/#/link/\S+", said)
    assert len(links) == 2
    path = links[0].removeprefix(site.origin)
    page = stranger.open(path)
    is_in(page)
    expect(page).to_have_url(f"{site.origin}/#/")
    expect(page.get_by_role("navigation", name="Conversations")).to_contain_text("bob-")

    other = people.person().open(path)
    expect(other.get_by_role("alert")).to_contain_text("was used before")
    check_axe(other)


def test_a_link_asks_before_it_ends_another_session(site: Site, ana: Person) -> None:
    said = site.system.manage("demo", "--port", str(site.gateway.port))
    [path, *_] = re.findall(r"http://[^/]+(/#/link/\S+)", said)
    page = ana.open(path)
    expect(page.get_by_text(f"You are signed in as {ana.username}.")).to_be_visible()
    check_axe(page)
    page.get_by_role("button", name="Switch account").click()
    expect(page.get_by_role("navigation", name="Conversations")).to_contain_text("bob-")


def test_a_page_that_is_none_looks_like_the_others(stranger: Person) -> None:
    page = stranger.open("/nothing/here")
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    check_axe(page)
    page.get_by_role("link", name="Go to your conversations").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
