"""Staff look at the log's epochs, at what waits for it, and at what could not be stored."""

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from klatsch.archive.models import DeadLetter
from klatsch.eventlog.models import Epoch, OutboxEntry
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_person("root", is_staff=True, is_superuser=True))
    return client


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def letters(count: int) -> None:
    DeadLetter.objects.bulk_create(
        DeadLetter(epoch=1, partition=0, offset=i, key=b"k", value=b"\xff", judge=b"", reason="bad_json", detail="no")
        for i in range(DeadLetter.objects.count(), count)
    )


def test_what_waits_for_the_log_is_shown_and_can_be_told_from_what_was_relayed(staff: Client) -> None:
    OutboxEntry.objects.create(key=b"members:waits", value=b"{}", place=b"waits")
    OutboxEntry.objects.create(key=b"members:relayed", value=b"{}", place=b"relayed", relayed_at=timezone.now())
    shown = staff.get("/admin/eventlog/outboxentry/?relayed_at__isempty=1").content.decode()
    assert "members:waits" in shown
    assert "members:relayed" not in shown


def test_the_log_can_be_looked_at_and_not_changed(staff: Client) -> None:
    Epoch.objects.create(epoch=1, topic_id="one", partitions=12)
    entry = OutboxEntry.objects.create(key=b"k", value=b"{}", place=b"k")
    for path in ("epoch/1", f"outboxentry/{entry.pk}"):
        assert staff.get(f"/admin/eventlog/{path}/change/").status_code == 200
        assert staff.post(f"/admin/eventlog/{path}/delete/", {"post": "yes"}).status_code == 403
    assert staff.get("/admin/eventlog/outboxentry/add/").status_code == 403


def test_a_list_of_dead_letters_costs_as_many_statements_for_one_as_for_fifty(staff: Client) -> None:
    letters(1)
    one = statements(staff, "/admin/messaging/deadletter/")
    letters(50)
    assert statements(staff, "/admin/messaging/deadletter/") == one


def test_staff_retry_dead_letters_and_are_told_of_each_why_it_cannot_be_stored(staff: Client) -> None:
    letters(2)
    chosen = list(DeadLetter.objects.values_list("pk", flat=True))
    answer = staff.post(
        "/admin/messaging/deadletter/", {"action": "retry", "_selected_action": chosen}, follow=True
    ).content.decode()
    assert answer.count("It still cannot be read") == 2
    assert not DeadLetter.objects.exclude(retried_at=None).exists()


def with_right(name: str) -> Client:
    person = make_person(f"staff-{name.replace('_', '-')}", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename=name))
    client = Client()
    client.force_login(person)
    return client


def test_who_may_only_look_at_dead_letters_cannot_retry_them() -> None:
    letters(1)
    chosen = {"action": "retry", "_selected_action": list(DeadLetter.objects.values_list("pk", flat=True))}
    said = {}
    for right in ("view_deadletter", "change_deadletter"):
        answer = with_right(right).post("/admin/messaging/deadletter/", chosen, follow=True)
        assert answer.status_code == 200
        said[right] = "It still cannot be read" in answer.content.decode()
    assert said == {"view_deadletter": False, "change_deadletter": True}


def test_a_dead_letter_shows_what_it_holds_and_cannot_be_changed(staff: Client) -> None:
    letters(1)
    path = f"/admin/messaging/deadletter/{DeadLetter.objects.get().pk}/change/"
    assert "\\xff" in staff.get(path).content.decode()
    assert staff.post(path, {"reason": "none"}).status_code == 403


def test_a_list_of_dead_letters_does_not_read_what_they_hold(staff: Client) -> None:
    letters(2)
    with CaptureQueriesContext(connection) as captured:
        staff.get("/admin/messaging/deadletter/")
    assert not [query["sql"] for query in captured if '"value"' in query["sql"]]
