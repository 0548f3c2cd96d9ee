"""The pages that links in e-mails lead to, in a browser."""

import httpx
from playwright.sync_api import expect

from tests.page.people import Person, check_axe
from tests.page.site import Site


def test_a_forgotten_password_is_set_again_by_the_link_of_the_letter(site: Site, stranger: Person) -> None:
    member = site.register()
    member.ask("POST", "auth/password/reset", {"email": member.email})
    link = site.letter_to(member.email, "reset")

    page = stranger.open(link.removeprefix(site.origin))
    check_axe(page)
    page.get_by_label("New password").fill("cream and sugar")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You can sign in now.")

    body = {"username": member.username, "password": "cream and sugar"}
    answer = httpx.post(f"{site.origin}/api/v1/auth/login", json=body, trust_env=False, timeout=60)
    assert answer.status_code == 200


def test_the_proof_of_a_link_leaves_the_address_bar_at_once(site: Site, stranger: Person) -> None:
    page = stranger.open("/confirm#uid=1&token=wrong")
    expect(page).to_have_url(f"{site.origin}/confirm")
