"""Staff look at conversations and messages, change nothing, and no list costs a statement for each of its rows."""

from uuid import UUID

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.models import User
from klatsch.archive.models import Change, Message
from klatsch.conversations import groups
from klatsch.conversations.models import Conversation
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import archive, as_sender
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db

LISTS = ("conversations/conversation", "conversations/member", "messaging/message")


@pytest.fixture
def ana() -> User:
    return make_person("ana")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_person("root", is_staff=True, is_superuser=True))
    return client


def add_rows(ana: User, numbers: range) -> None:
    log = MemoryWriter(MemoryLog())
    for i in numbers:
        make_person(f"peer{i}")
        archive(
            ensure_direct_conversation(sender=as_sender(ana), receiver_username=f"peer{i}", log=log), "hi", offset=i
        )
        groups.create_group(owner=as_sender(ana), title=f"group {i}", usernames=[f"peer{i}"], log=log)


def statements_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("rows", LISTS)
def test_a_list_costs_the_same_number_of_statements_with_more_rows(staff: Client, ana: User, rows: str) -> None:
    add_rows(ana, range(2))
    ContentType.objects.clear_cache()
    statements_of(staff, f"/admin/{rows}/")
    few = statements_of(staff, f"/admin/{rows}/")
    add_rows(ana, range(2, 8))

    assert statements_of(staff, f"/admin/{rows}/") == few


@pytest.mark.parametrize("rows", LISTS)
def test_staff_can_add_change_and_delete_nothing(staff: Client, ana: User, rows: str) -> None:
    add_rows(ana, range(1))
    keys = {
        "conversations/conversation": Conversation.objects.earliest("created_at").pk,
        "conversations/member": ana.memberships.earliest("pk").pk,
        "messaging/message": Message.objects.get().pk,
    }

    assert staff.get(f"/admin/{rows}/add/").status_code == 403
    assert staff.post(f"/admin/{rows}/{keys[rows]}/change/", {"title": "mine"}).status_code == 403
    assert staff.post(f"/admin/{rows}/{keys[rows]}/delete/", {"post": "yes"}).status_code == 403
    assert staff.get(f"/admin/{rows}/{keys[rows]}/change/").status_code == 200


def test_messages_are_found_by_their_id_their_conversation_and_their_sender(staff: Client, ana: User) -> None:
    add_rows(ana, range(3))
    message = Message.objects.order_by("offset")[1]
    found = {
        term: staff.get("/admin/messaging/message/", {"q": term}).context["cl"].result_count
        for term in (str(message.pk), str(message.conversation_id), "ana", "peer1", "nobody")
    }

    assert list(found.values()) == [1, 1, 3, 0, 0]


def test_a_messages_page_lists_its_changes(staff: Client, ana: User) -> None:
    add_rows(ana, range(1))
    message = Message.objects.get()
    for offset, kind, effective in ((1, 3, True), (2, 5, False)):
        Change.objects.create(
            id=UUID(int=offset), message_id=message.pk, kind=kind, actor_id=ana.pk, epoch=1,
            partition=message.partition, offset=offset, digest=b"", effective=effective,
        )  # fmt: skip
    page = staff.get(f"/admin/messaging/message/{message.pk}/change/").content.decode()
    place = f"1:{message.partition}:"
    assert f"{place}2 reaction by ana (no effect)<br>{place}1 edited by ana" in page
