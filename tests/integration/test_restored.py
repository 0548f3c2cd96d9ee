"""`manage.py restored`: after a restore, changes of memberships count although the log holds later ones."""

import time
from collections.abc import Iterator
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from klatsch.conversations.blocks import block_person, unblock_person
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.conversations.restoring import raise_versions
from klatsch.conversations.services import open_direct
from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.models import OutboxEntry
from klatsch.records.judge import Memberships, Verdict
from tests.integration.archive_rows import as_sender
from tests.integration.group import Group
from tests.support.records import members_event

pytestmark = pytest.mark.django_db(transaction=True)

_NEVER_RESTORED = "ALTER TABLE conversations_member ALTER COLUMN version SET DEFAULT 1"


@pytest.fixture(autouse=True)
def first_version() -> Iterator[None]:
    """Puts the columns' defaults back, as the end of a test empties the tables and leaves those."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(_NEVER_RESTORED)


def restore(backup: list[Member], now_s: float | None = None) -> None:
    """Makes the memberships what they were; the log, and what it says of them, stays."""
    Member.objects.all().delete()
    OutboxEntry.objects.all().delete()
    Member.objects.bulk_create(backup)
    raise_versions(time.time() if now_s is None else now_s)


def verdict(group: Group, name: str, conversation: str | None = None) -> Verdict | None:
    """Returns the verdict of a judge of the whole log on the next record of the person."""
    memberships = Memberships()
    for partition in group.memory.records:
        for record in partition:
            memberships.apply(record, members_event(record))
    return memberships.find_void((conversation or str(group.id)).encode("ascii"), uuid_bytes(str(group[name].pk)))


def test_a_removal_after_a_restore_counts_although_the_log_has_later_versions(group: Group) -> None:
    backup = list(Member.objects.all())
    for _ in range(3):
        group.remove("olga", "mia")
        group.add("olga", "mia")
    restore(backup)
    group.remove("olga", "mia")
    assert verdict(group, "mia") is Verdict.REMOVED


def test_a_person_who_was_first_added_after_the_backup_can_be_added_and_removed_again(group: Group) -> None:
    backup = list(Member.objects.all())
    for _ in range(3):
        group.add("olga", "zoe")
        group.remove("olga", "zoe")
    restore(backup)
    group.add("olga", "zoe")
    assert verdict(group, "zoe") is None
    group.remove("olga", "zoe")
    assert verdict(group, "zoe") is Verdict.REMOVED


def test_a_block_counts_in_a_direct_conversation_that_was_begun_again_after_a_restore(group: Group) -> None:
    ana, bob = as_sender(group["mia"]), as_sender(group["max"])
    backup = list(Member.objects.all())
    direct = open_direct(sender=ana, receiver_username="max", log=group.log)
    assert direct.version == 1
    for _ in range(3):
        block_person(blocker=ana, username="max", log=group.log)
        unblock_person(blocker_id=ana.id, username="max", log=group.log)
    Member.objects.filter(conversation_id=direct.access.conversation).delete()
    Conversation.objects.filter(pk=direct.access.conversation).delete()
    restore(backup)
    again = open_direct(sender=bob, receiver_username="mia", log=group.log)
    assert again.version == Member.objects.get(conversation_id=again.access.conversation, user=group["max"]).version
    block_person(blocker=ana, username="max", log=group.log)
    assert verdict(group, "max", str(again.access.conversation)) is Verdict.BLOCKED


def test_a_removal_counts_also_when_one_backup_is_restored_twice(group: Group) -> None:
    backup, now_s = list(Member.objects.all()), time.time()
    restore(backup, now_s)
    for _ in range(3):
        group.remove("olga", "mia")
        group.add("olga", "mia")
    restore(backup, now_s + 60)
    group.remove("olga", "mia")
    assert verdict(group, "mia") is Verdict.REMOVED


def test_versions_rise_also_when_the_clock_was_set_back(group: Group) -> None:
    first = raise_versions(time.time())
    assert raise_versions(0.0) == first + 1
    assert group.member("mia").version == first + 1


def test_a_restored_group_and_its_invitations_are_newer_than_what_clients_know(group: Group) -> None:
    invitation = Invitation.objects.create(
        conversation_id=group.id,
        user=group["zoe"],
        inviter=group["olga"],
        created_at=timezone.now(),
        changed_at=timezone.now(),
    )
    call_command("restored", stdout=StringIO())
    invitation.refresh_from_db()
    assert Conversation.objects.get(pk=group.id).version == invitation.version == group.member("mia").version
    assert invitation.version > 1_000_000


def test_versions_fit_into_records_for_decades(group: Group) -> None:
    raise_versions(time.time())
    assert group.member("mia").version < 2**31 - 50 * 366 * 24 * 3600
    group.remove("olga", "mia")
    [*_, last] = group.records()
    assert last.members[0].version == group.member("mia").version
    assert Conversation.objects.create(pk=uuid4(), kind="group").version == 1, "a new group has a new id"
