"""Histories: what is read, by whom, and that pages neither repeat nor skip while messages arrive."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import User
from klatsch.archive.histories import list_messages, list_own_messages
from klatsch.archive.message_view import MessageView
from klatsch.archive.models import Message
from klatsch.archive.overview import ConversationView, get_conversation, list_conversations
from klatsch.conversations import groups
from klatsch.conversations.access import Access
from klatsch.conversations.queries import get_access
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import NotFound
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import BEGINNING, archive, as_sender
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> MemoryWriter:
    return MemoryWriter(MemoryLog())


@pytest.fixture
def ana() -> User:
    return make_person("ana")


@pytest.fixture
def to_bob(ana: User, log: MemoryWriter) -> Access:
    make_person("bob")
    return ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=log)


def place(view: MessageView) -> tuple[int, int]:
    epoch, _, offset = map(int, view.position.split(":"))
    return epoch, offset


def moment(view: MessageView) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(view.sent_at), UUID(view.id)


def activity(view: ConversationView) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(view.updated_at), UUID(view.id)


def contents(views: list[MessageView]) -> list[str]:
    return [view.content for view in views]


def test_a_message_has_exactly_the_fields_of_the_protocol(to_bob: Access) -> None:
    message = archive(to_bob, "hi ☕\n", offset=7)
    Message.objects.filter(pk=message.pk).update(reactions={"👍": ["bob"]}, edited_at=BEGINNING, changed_offset=9)

    [view] = list_messages(conversation_id=UUID(to_bob.conversation), limit=10)

    assert msgspec.json.decode(msgspec.json.encode(view)) == {
        "id": str(message.pk),
        "client_id": "m7",
        "conversation": to_bob.conversation,
        "sender": "ana",
        "sender_id": to_bob.sender_id,
        "receiver": "bob",
        "content": "hi ☕\n",
        "sent_at": "2026-11-23T20:00:07.000Z",
        "position": f"1:{message.partition}:7",
        "changed": f"1:{message.partition}:9",
        "seq": 1,
        "edited_at": "2026-11-23T20:00:00.000Z",
        "deleted": False,
        "reply_to": None,
        "reply_preview": None,
        "reactions": {"👍": ["bob"]},
        "reaction_counts": {},
        "mentions": [],
        "pinned_at": None,
    }


def test_the_text_of_a_deleted_message_is_shown_to_nobody(to_bob: Access) -> None:
    Message.objects.filter(pk=archive(to_bob, "secret", offset=1).pk).update(deleted=True)

    [view] = list_messages(conversation_id=UUID(to_bob.conversation), limit=10)

    assert (view.deleted, view.content) == (True, "")


def test_pages_of_a_conversation_neither_repeat_nor_skip_while_messages_arrive(
    to_bob: Access, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    conversation_id = UUID(to_bob.conversation)
    for offset in range(0, 20, 2):
        archive(to_bob, str(offset), offset=offset)
    seen: list[MessageView] = list_messages(conversation_id=conversation_id, limit=3)
    while True:
        archive(to_bob, "new", offset=100 + len(seen))
        with django_assert_num_queries(1):
            page = list_messages(conversation_id=conversation_id, limit=3, after=place(seen[-1]))
        if not page:
            break
        seen += page

    assert contents(seen) == [str(offset) for offset in range(18, -1, -2)]
    newer = list_messages(conversation_id=conversation_id, limit=3, before=place(seen[4]))
    assert contents(newer) == contents(seen[1:4])


def test_a_history_is_in_the_order_of_positions_whatever_the_clocks_said(to_bob: Access) -> None:
    for offset in range(3):
        archive(to_bob, str(offset), offset=offset, sent_at=BEGINNING - timedelta(hours=offset))
    Message.objects.filter(content="0").update(epoch=2)

    assert contents(list_messages(conversation_id=UUID(to_bob.conversation), limit=10)) == ["0", "2", "1"]


def test_ones_own_history_is_all_that_one_may_read_newest_first_by_time(
    ana: User, to_bob: Access, log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    eve = make_person("eve")
    teas = [groups.create_group(owner=as_sender(ana), title="Tea", usernames=["eve"], log=log) for _ in range(3)]
    accesses = [get_access(sender_id=eve.pk, sender_username="eve", conversation_id=tea, log=log) for tea in teas]
    for offset in range(40):
        access = [to_bob, *accesses][offset % 4]
        archive(access, str(offset), offset=offset, sent_at=BEGINNING + timedelta(seconds=offset // 3))
    groups.remove_member(actor_id=ana.pk, conversation_id=teas[0], username="eve", log=log)

    def read_all(user: User) -> list[MessageView]:
        seen: list[MessageView] = []
        while page := list_own_messages(user_id=user.pk, limit=7, after=moment(seen[-1]) if seen else None):
            seen += page
        return seen

    everything = read_all(ana)
    assert sorted(contents(everything), key=int) == [str(offset) for offset in range(40)]
    assert everything == sorted(everything, key=moment, reverse=True)
    assert {int(content) % 4 for content in contents(read_all(eve))} == {2, 3}
    with django_assert_num_queries(1):
        newer = list_own_messages(user_id=ana.pk, limit=7, before=moment(everything[20]))
    assert newer == everything[13:20]


def test_conversations_are_listed_by_last_activity_in_one_statement(
    ana: User, to_bob: Access, log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tea = groups.create_group(owner=as_sender(ana), title="Tea", usernames=["bob"], log=log)
    quiet = groups.create_group(owner=as_sender(ana), title="Quiet", usernames=[], log=log)
    to_tea = get_access(sender_id=ana.pk, sender_username="ana", conversation_id=tea, log=log)
    now = datetime.now(BEGINNING.tzinfo)
    archive(to_tea, "hi", offset=5, sent_at=now + timedelta(hours=1))
    archive(to_bob, "first", offset=6, sent_at=now + timedelta(hours=2))
    archive(to_bob, "last", offset=7, sent_at=now + timedelta(hours=2))

    with django_assert_num_queries(1):
        views = list_conversations(user_id=ana.pk, limit=10)

    assert [view.id for view in views] == [to_bob.conversation, str(tea), str(quiet)]
    direct = views[0]
    assert (direct.kind, direct.title, direct.member_count, direct.unread) == ("direct", "", 2, 0)
    assert direct.last_message is not None
    assert (direct.last_message.content, direct.last_message.sender) == ("last", "ana")
    members = msgspec.json.decode(views[1].members)
    assert [(member["user"], member["role"]) for member in members] == [("ana", "owner"), ("bob", "member")]
    assert views[2].last_message is None
    with django_assert_num_queries(1):
        assert get_conversation(user_id=ana.pk, conversation_id=tea) == views[1]


def test_pages_of_conversations_neither_repeat_nor_skip(ana: User, log: MemoryWriter) -> None:
    made = [groups.create_group(owner=as_sender(ana), title=str(i), usernames=[], log=log) for i in range(10)]
    seen: list[ConversationView] = []
    while page := list_conversations(user_id=ana.pk, limit=3, after=activity(seen[-1]) if seen else None):
        seen += page

    assert sorted(view.id for view in seen) == sorted(map(str, made))
    assert seen == sorted(seen, key=activity, reverse=True)
    assert list_conversations(user_id=ana.pk, limit=3, before=activity(seen[5])) == seen[2:5]


def test_removed_people_and_strangers_see_no_conversation(ana: User, to_bob: Access, log: MemoryWriter) -> None:
    bob, zoe = User.objects.get(username="bob"), make_person("zoe")
    tea = groups.create_group(owner=as_sender(ana), title="Tea", usernames=["bob"], log=log)
    groups.remove_member(actor_id=ana.pk, conversation_id=tea, username="bob", log=log)

    assert [view.id for view in list_conversations(user_id=bob.pk, limit=10)] == [to_bob.conversation]
    assert list_conversations(user_id=zoe.pk, limit=10) == []
    for person in (bob, zoe):
        with pytest.raises(NotFound):
            get_conversation(user_id=person.pk, conversation_id=tea)


def test_a_large_group_shows_its_first_members_and_how_many_there_are(ana: User, log: MemoryWriter) -> None:
    names = [f"p{i:02}" for i in range(30)]
    for name in names:
        make_person(name)
    tea = groups.create_group(owner=as_sender(ana), title="Tea", usernames=names, log=log)
    ana.save()  # her row is now the last of the table, as after any change of a person

    for join in "enable_nestloop", "enable_hashjoin":  # as PostgreSQL may join them, by its statistics
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL {join} = off")
        view = get_conversation(user_id=ana.pk, conversation_id=tea)

        assert view.member_count == 31
        members = msgspec.json.decode(view.members)
        assert [member["user"] for member in members] == ["ana", *names[:19]]
