"""The moderators' queue in the admin: each action is for those who may, has its effect once, and is noted."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import InternalError, ProgrammingError, connection, transaction
from django.test import Client
from knox.models import AuthToken

from klatsch.accounts.models import User
from klatsch.archive.models import Message
from klatsch.moderation.models import ModerationAction, Report
from klatsch.records.header import DELETED
from tests.integration.chat import Chat
from tests.integration.people import (
    CREDENTIALS,
    V1,
    admin_form,
    make_person,
    make_person_with_password,
    post,
    problem,
)

pytestmark = pytest.mark.django_db
REPORTS = "/admin/moderation/report/"
ACTIONS = "/admin/moderation/moderationaction/"


@pytest.fixture
def report(chat: Chat) -> Report:
    """Returns Ana's report of a message of bob's."""
    spam = chat.ask("bob", "POST", "users/ana/messages", {"content": "Buy now"}).json()["id"]
    assert chat.ask("ana", "POST", f"messages/{spam}/report", {"reason": "spam"}).status_code == 201
    return Report.objects.get()


def staff(name: str, *permissions: str) -> User:
    person = make_person(name, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def moderator() -> User:
    return staff("mo", "moderate_report")


def act(chat: Chat, who: User, action: str, *reports: Report) -> str:
    """Returns the page after an action on reports."""
    client = Client()
    client.force_login(who)
    form = {"action": action, "_selected_action": [str(report.pk) for report in reports]}
    answer = client.post(REPORTS, form, follow=True, **{"klatsch.ports": chat.ports})  # type: ignore[arg-type]  # a WSGI environ may hold anything
    assert answer.status_code == 200
    return str(answer.content.decode())


def noted() -> list[tuple[str, str, str]]:
    rows = ModerationAction.objects.select_related("moderator", "person").order_by("pk")
    return [(row.moderator.username, row.what, row.person.username) for row in rows]


def deletions(chat: Chat) -> list[dict[str, Any]]:
    records = [record for partition in chat.log.records for record in partition]
    return [json.loads(record.value) for record in records if record.judge[:1] == bytes([DELETED])]


def test_dismissing_closes_a_report_once_and_is_noted(chat: Chat, report: Report, moderator: User) -> None:
    assert "Dismissed the report." in act(chat, moderator, "dismiss", report)
    report.refresh_from_db()
    assert (report.state, report.closed_at is None) == ("dismissed", False)
    assert "nothing to do" in act(chat, moderator, "dismiss", report)
    assert noted() == [("mo", "dismiss", "bob")]
    assert LogEntry.objects.filter(user=moderator).count() == 1


def test_a_suspended_sender_loses_every_credential_and_is_told_what_inactive_people_are(
    chat: Chat, report: Report, moderator: User
) -> None:
    assert "Suspended the sender." in act(chat, moderator, "suspend_senders", report)
    report.refresh_from_db()
    assert report.state == "resolved"
    assert not AuthToken.objects.filter(user=report.sender).exists()
    assert problem(chat.ask("bob", "GET", "me")) == (401, "not_authenticated")
    assert problem(chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"})) == (404, "not_found")
    told = [record.value for partition in chat.log.records for record in partition if record.key.startswith(b"user:")]
    assert [json.loads(value)["what"] for value in told] == ["deactivated"]
    assert noted() == [("mo", "suspend", "bob")]


@pytest.mark.usefixtures("quick_hashes")
def test_a_suspended_person_can_sign_in_again_only_once_the_suspension_is_lifted(chat: Chat, moderator: User) -> None:
    chat.people["cid"] = (make_person_with_password("cid"), {})
    User.objects.filter(username="cid").update(username="ana2")
    cid = User.objects.get(username="ana2")
    credentials = CREDENTIALS | {"username": "ana2"}
    row = Report.objects.create(
        reporter=moderator, sender=cid, message_id=cid.pk, conversation_id=cid.pk, content="x", sent_at=cid.date_joined,
        reason="spam",
    )  # fmt: skip
    act(chat, moderator, "suspend_senders", row)
    refused = post(Client(), f"{V1}/auth/login", credentials)
    assert refused.json() == post(Client(), f"{V1}/auth/login", credentials | {"username": "nobody"}).json()
    assert problem(refused) == (401, "not_authenticated")
    assert "Lifted" in act(chat, moderator, "lift_suspensions", row)
    assert post(Client(), f"{V1}/auth/login", credentials).status_code == 200
    assert "nothing to do" in act(chat, moderator, "lift_suspensions", row)
    assert [what for _, what, _ in noted()] == ["suspend", "lift"]


def test_who_left_is_neither_suspended_nor_brought_back(chat: Chat, report: Report, moderator: User) -> None:
    User.objects.filter(username="bob").update(is_active=False)
    assert "deactivated already" in act(chat, moderator, "suspend_senders", report)
    assert "nothing to do" in act(chat, moderator, "lift_suspensions", report)
    assert not User.objects.get(username="bob").is_active
    assert noted() == []


def test_staff_and_oneself_are_out_of_reach(chat: Chat, report: Report, moderator: User) -> None:
    User.objects.filter(username="bob").update(is_staff=True)
    assert "Staff cannot be suspended" in act(chat, moderator, "suspend_senders", report)
    bob = User.objects.get(username="bob")
    bob.user_permissions.set(Permission.objects.filter(codename="moderate_report"))
    for action in ("dismiss", "suspend_senders", "lift_suspensions", "delete_messages"):
        assert "about you" in act(chat, bob, action, report)
    assert noted() == []
    assert Report.objects.get().state == "open"


def test_what_was_decided_is_not_decided_otherwise(chat: Chat, report: Report, moderator: User) -> None:
    act(chat, moderator, "dismiss", report)
    for action in ("suspend_senders", "delete_messages"):
        assert "has been dismissed" in act(chat, moderator, action, report)
    Report.objects.update(state="resolved")
    assert "has been resolved" in act(chat, moderator, "dismiss", report)
    assert [what for _, what, _ in noted()] == ["dismiss"]
    assert User.objects.get(username="bob").is_active
    assert deletions(chat) == []


def test_a_deletion_goes_through_the_log_without_the_moderators_name_and_resolves_all_reports_of_the_message(
    chat: Chat, moderator: User
) -> None:
    group = chat.make_group("ana", "bob", "zoe")
    spam = chat.ask("bob", "POST", f"conversations/{group}/messages", {"content": "Buy now"}).json()["id"]
    for who in ("ana", "zoe"):
        chat.ask(who, "POST", f"messages/{spam}/report", {"reason": "spam"})
    [first, second] = Report.objects.order_by("pk")
    assert "Deleted the message." in act(chat, moderator, "delete_messages", first)
    [deletion] = deletions(chat)
    assert (deletion["t"], deletion["id"], deletion["conversation"], deletion["by"]) == (
        "message_deleted", spam, group, "",
    )  # fmt: skip
    assert {row.state for row in Report.objects.all()} == {"resolved"}
    Message.objects.filter(pk=spam).update(deleted=True, content="")  # as the persister does
    assert "nothing to do" in act(chat, moderator, "delete_messages", first, second)
    assert len(deletions(chat)) == 1
    assert noted() == [("mo", "delete", "bob")]
    assert Report.objects.order_by("pk")[0].content == "Buy now"


def test_a_deletion_that_the_log_does_not_take_leaves_the_report_open_and_the_try_noted(
    chat: Chat, report: Report, moderator: User
) -> None:
    chat.writer.room = 0
    assert "Try again" in act(chat, moderator, "delete_messages", report)
    assert Report.objects.get().state == "open"
    assert noted() == [("mo", "delete", "bob")]
    chat.writer.room = 100
    assert "Deleted the message." in act(chat, moderator, "delete_messages", report)
    assert Report.objects.get().state == "resolved"


@pytest.mark.parametrize("permissions", [(), ("view_report",)])
def test_staff_without_the_permission_do_nothing(chat: Chat, report: Report, permissions: tuple[str, ...]) -> None:
    eve = staff("eve", *permissions)
    client = Client()
    client.force_login(eve)
    page = client.get(REPORTS)
    assert page.status_code == (200 if permissions else 403)
    for action in ("dismiss", "suspend_senders", "lift_suspensions", "delete_messages"):
        client.post(REPORTS, {"action": action, "_selected_action": [str(report.pk)]})
    assert noted() == []
    assert (Report.objects.get().state, User.objects.get(username="bob").is_active) == ("open", True)
    assert client.get(ACTIONS).status_code == 403


def test_the_queue_shows_open_reports_first_and_a_page_tells_what_was_done(
    chat: Chat, report: Report, moderator: User
) -> None:
    act(chat, moderator, "dismiss", report)
    spam = chat.ask("bob", "POST", "users/ana/messages", {"content": "Sell later"}).json()["id"]
    chat.ask("ana", "POST", f"messages/{spam}/report", {"reason": "spam", "detail": "again"})
    client = Client()
    client.force_login(moderator)
    page = client.get(REPORTS).content.decode()
    assert page.index("Sell later") < page.index("Buy now")
    detail = client.get(f"{REPORTS}{report.pk}/change/").content.decode()
    assert "mo: dismiss the report" in detail
    assert "active" in detail
    assert "dismiss the report" in client.get(ACTIONS).content.decode()
    for path in (f"{REPORTS}add/", f"{ACTIONS}add/", f"{REPORTS}{report.pk}/delete/"):
        assert client.get(path).status_code == 403


def test_a_note_can_be_neither_changed_nor_removed(chat: Chat, report: Report, moderator: User) -> None:
    act(chat, moderator, "dismiss", report)
    for statement in (
        "UPDATE moderation_moderationaction SET what = 'lift'",
        "DELETE FROM moderation_moderationaction",
    ):
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    report.delete()
    assert noted() == [("mo", "dismiss", "bob")]


def test_staff_who_activate_a_suspended_account_by_hand_end_the_suspension(
    chat: Chat, report: Report, moderator: User, client: Client
) -> None:
    act(chat, moderator, "suspend_senders", report)
    client.force_login(make_person("root", is_staff=True, is_superuser=True))
    bob = User.objects.get(username="bob")
    assert bob.suspended_at is not None
    client.post(f"/admin/accounts/user/{bob.pk}/change/", admin_form(bob, is_active="on"))
    bob.refresh_from_db()
    assert bob.is_active
    assert User.objects.filter(username="bob", suspended_at=None).exists()


def test_reports_beyond_the_most_of_one_action_stay_open_and_the_page_says_so(
    chat: Chat, report: Report, moderator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("klatsch.moderation.admin.ACTED_ON_MOST", 1)
    later = Report.objects.create(
        reporter=moderator, sender=report.sender, message_id=report.reporter_id, conversation_id=report.conversation_id,
        content="x", sent_at=report.sent_at, reason="spam",
    )  # fmt: skip
    page = act(chat, moderator, "dismiss", report, later)
    assert [row.state for row in Report.objects.order_by("pk")] == ["dismissed", "open"]
    assert "At most 1 reports at once" in page
