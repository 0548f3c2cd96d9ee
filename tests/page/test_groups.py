"""Groups in a browser: making them, members and roles, invitations, muting, blocking, leaving, deleting."""

import pytest
from playwright.sync_api import expect

from tests.page.people import NARROW, People, Person, check_axe


@pytest.fixture
def carol(people: People) -> Person:
    """Registers somebody new who has never written to anybody."""
    return people.member()


def acquaint(ana: Person, bob: Person) -> None:
    """Lets two write to each other, so that one may add the other to a group."""
    ana.site.talk(ana.signed_in, bob.signed_in)


def group_of(owner: Person, *members: Person, title: str = "Coffee round") -> str:
    body = {"title": title, "description": "Every day at four.", "members": [one.username for one in members]}
    return str(owner.ask("POST", "conversations", body)["id"])


def test_a_group_is_made_by_keyboard_alone_and_strangers_are_invited(ana: Person, bob: Person, carol: Person) -> None:
    acquaint(ana, bob)
    page = ana.open("/#/new-group")
    expect(page.get_by_role("heading", name="New group")).to_be_focused()
    check_axe(page)
    page.keyboard.press("Tab")
    page.keyboard.type("Coffee round")
    page.keyboard.press("Tab")
    page.keyboard.type("Every day at four.")
    page.keyboard.press("Tab")
    for one in (bob, carol):
        page.keyboard.type(one.username)
        expect(page.get_by_role("option", name=one.username)).to_have_attribute("aria-selected", "true")
        check_axe(page)
        page.keyboard.press("Enter")
        expect(page.get_by_role("list", name="Chosen people")).to_contain_text(one.username)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Invited: {carol.username}.")).to_be_visible()
    [group] = [one for one in ana.ask("GET", "conversations")["results"] if one["kind"] == "group"]
    assert {member["user"] for member in group["members"]} == {ana.username, bob.username}


def test_what_is_wrong_with_a_new_group_stands_beside_the_field(ana: Person) -> None:
    page = ana.open("/#/new-group")
    page.get_by_role("button", name="Create group").click()
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Name")).to_have_accessible_description("Fill in this field.")


def test_a_person_is_taken_back_before_the_group_is_made(ana: Person, bob: Person) -> None:
    page = ana.open("/#/new-group")
    page.get_by_role("combobox", name="Members").fill(bob.username)
    page.get_by_role("option", name=bob.username).click()
    page.get_by_role("button", name=f"Remove {bob.username}").click()
    expect(page.get_by_role("combobox", name="Members")).to_be_focused()
    page.get_by_label("Name").fill("Alone")
    page.get_by_role("button", name="Create group").click()
    expect(page.get_by_role("heading", name="Alone")).to_be_visible()
    [group] = [one for one in ana.ask("GET", "conversations")["results"] if one["kind"] == "group"]
    expect(page).to_have_url(f"{ana.site.origin}/#/c/{group['id']}")


def test_an_invitation_comes_live_and_is_accepted(ana: Person, carol: Person) -> None:
    page = carol.open("/#/invitations")
    expect(page.get_by_text("You have no open invitations.")).to_be_visible()
    group = group_of(ana, carol)
    expect(page.get_by_role("heading", name="Coffee round")).to_be_visible()
    expect(page.get_by_text(f"Invited by {ana.username}")).to_be_visible()
    check_axe(page)
    page.get_by_role("button", name="Accept").click()
    expect(page).to_have_url(f"{carol.site.origin}/#/c/{group}")
    members = ana.ask("GET", f"conversations/{group}/members")["results"]
    assert carol.username in {member["user"] for member in members}


def test_an_invitation_is_declined_and_its_group_stays_unknown(ana: Person, carol: Person) -> None:
    group_of(ana, carol)
    page = carol.open("/#/invitations")
    page.get_by_role("button", name="Decline").click()
    expect(page.get_by_text("You have no open invitations.")).to_be_visible()
    assert carol.ask("GET", "conversations")["results"] == []


def test_an_owner_renames_adds_promotes_and_removes(ana: Person, bob: Person, carol: Person) -> None:
    acquaint(ana, bob)
    acquaint(ana, carol)
    group = group_of(ana, bob)
    page = ana.open(f"/#/c/{group}/details")
    expect(page.get_by_role("heading", name="2 members")).to_be_visible()
    check_axe(page)
    page.get_by_label("Name").fill("Tea round")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Tea round")).to_be_visible()

    page.get_by_role("combobox", name="Add people").fill(carol.username)
    page.get_by_role("option", name=carol.username).click()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text(f"{carol.username} is a member now.")).to_be_visible()
    expect(page.get_by_role("heading", name="3 members")).to_be_visible()

    page.get_by_label(f"Role of {bob.username}").select_option("admin")
    expect(page.get_by_text(f"New role of {bob.username}: Admin.")).to_be_visible()
    page.get_by_role("button", name=f"Remove {carol.username}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text(f"{carol.username} is not a member any more.")).to_be_visible()
    members = ana.ask("GET", f"conversations/{group}/members")["results"]
    assert {member["user"]: member["role"] for member in members} == {ana.username: "owner", bob.username: "admin"}


def test_a_member_sees_the_group_and_changes_nothing(ana: Person, bob: Person) -> None:
    acquaint(ana, bob)
    group = group_of(ana, bob)
    page = bob.open(f"/#/c/{group}/details")
    expect(page.get_by_text("Every day at four.")).to_be_visible()
    expect(page.get_by_role("heading", name="2 members")).to_be_visible()
    for name in ("Save", "Add", "Delete group", f"Remove {ana.username}"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    check_axe(page)


def test_an_invited_person_is_listed_and_the_invitation_withdrawn(ana: Person, carol: Person) -> None:
    group = group_of(ana, carol)
    page = ana.open(f"/#/c/{group}/details")
    page.get_by_role("button", name=f"Withdraw the invitation of {carol.username}").click()
    expect(page.get_by_text(f"The invitation of {carol.username} is withdrawn.")).to_be_visible()
    assert carol.ask("GET", "invitations")["results"] == []


def test_a_member_leaves_and_the_last_owner_is_told_why_not(ana: Person, bob: Person) -> None:
    acquaint(ana, bob)
    group = group_of(ana, bob)
    page = ana.open(f"/#/c/{group}/details")
    page.get_by_role("button", name="Leave group").click()
    dialog = page.get_by_role("dialog", name="Leave this group?")
    check_axe(page)
    dialog.get_by_role("button", name="Leave group").click()
    expect(dialog.get_by_role("alert")).to_contain_text("owner")

    page = bob.open(f"/#/c/{group}/details")
    page.get_by_role("button", name="Leave group").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave group").click()
    expect(page.get_by_text("You have left the group.")).to_be_visible()
    expect(page).to_have_url(f"{bob.site.origin}/#/")


def test_a_group_is_deleted_and_its_members_are_led_away(ana: Person, bob: Person) -> None:
    acquaint(ana, bob)
    group = group_of(ana, bob)
    seen = bob.open(f"/#/c/{group}/details")
    expect(seen.get_by_role("heading", name="2 members")).to_be_visible()
    page = ana.open(f"/#/c/{group}/details")
    page.get_by_role("button", name="Delete group").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete group").click()
    expect(page.get_by_text("The group is deleted.")).to_be_visible()
    expect(seen).to_have_url(f"{bob.site.origin}/#/")


def test_a_conversation_is_muted_for_a_time_and_unmuted(ana: Person, bob: Person) -> None:
    conversation = ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open(f"/#/c/{conversation}/details")
    page.get_by_role("button", name="Mute").click()
    page.get_by_label("8 hours").check()
    check_axe(page)
    page.get_by_role("dialog").get_by_role("button", name="Mute").click()
    expect(page.get_by_text("The conversation is muted.")).to_be_visible()
    assert ana.ask("GET", f"conversations/{conversation}")["muted_until"] is not None
    page.get_by_role("button", name="Unmute").click()
    page.get_by_role("dialog").get_by_role("button", name="Unmute").click()
    expect(page.get_by_role("button", name="Mute", exact=True)).to_be_visible()
    assert ana.ask("GET", f"conversations/{conversation}")["muted_until"] is None


def test_a_person_is_blocked_from_their_details(ana: Person, bob: Person) -> None:
    conversation = ana.site.talk(ana.signed_in, bob.signed_in)
    page = ana.open(f"/#/c/{conversation}/details")
    page.get_by_role("button", name="Block").click()
    dialog = page.get_by_role("dialog", name=f"Block {bob.username}?")
    check_axe(page)
    dialog.get_by_role("button", name="Block").click()
    expect(page.get_by_text(f"{bob.username} is blocked.")).to_be_visible()
    assert [one["user"] for one in ana.ask("GET", "blocks")["results"]] == [bob.username]


def test_long_names_fit_a_narrow_page_at_any_zoom(people: People, bob: Person) -> None:
    ana = people.member(size=NARROW)
    acquaint(ana, bob)
    word = "Donaudampfschifffahrtsgesellschaft" * 5
    group = group_of(ana, bob, title=word)
    for path in (f"/#/c/{group}/details", "/#/settings", "/#/new-group", "/#/invitations"):
        page = ana.open(path)
        expect(page.get_by_role("heading").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} at 200 %"
