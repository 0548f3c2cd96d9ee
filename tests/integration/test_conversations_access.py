"""The guarded getters: what is one's own is found by one statement, what is another's is not there."""

from uuid import UUID, uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import User
from klatsch.conversations import groups, queries
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import check_member, get_access, get_direct_id, list_members, load_page, load_people
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import BadRequest, Forbidden, NotFound, Unavailable
from klatsch.core.ids import direct_conversation_id
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.models import OutboxEntry
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> MemoryWriter:
    return MemoryWriter(MemoryLog())


@pytest.fixture
def ana() -> User:
    return make_person("ana")


@pytest.fixture
def bob() -> User:
    return make_person("bob")


@pytest.fixture
def direct(ana: User, bob: User, log: MemoryWriter) -> UUID:
    return UUID(ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=log).conversation)


@pytest.fixture
def tea(ana: User, bob: User, log: MemoryWriter) -> UUID:
    return groups.create_group(owner=as_sender(ana), title="Tea", usernames=["bob"], log=log)


def test_access_is_one_statement(
    ana: User, bob: User, direct: UUID, tea: UUID, log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        to_bob = get_access(sender_id=ana.pk, sender_username="ana", conversation_id=direct, log=log)
        to_tea = get_access(sender_id=bob.pk, sender_username="bob", conversation_id=tea, log=log)

    assert (to_bob.conversation, to_bob.receiver, to_bob.receiver_id) == (str(direct), "bob", str(bob.pk))
    assert (to_tea.kind, to_tea.receiver, to_tea.sender_id) == ("group", None, str(bob.pk))


def test_strangers_get_the_same_answer_as_for_a_conversation_that_does_not_exist(
    tea: UUID, direct: UUID, log: MemoryWriter
) -> None:
    zoe = make_person("zoe")
    details = set()
    for conversation_id in (tea, direct, uuid4()):
        with pytest.raises(NotFound) as refusal:
            get_access(sender_id=zoe.pk, sender_username="zoe", conversation_id=conversation_id, log=log)
        details.add(refusal.value.detail)
        with pytest.raises(NotFound) as refusal:
            check_member(user_id=zoe.pk, conversation_id=conversation_id)
        details.add(refusal.value.detail)

    assert len(details) == 1


def test_removed_people_have_no_access(ana: User, bob: User, tea: UUID, log: MemoryWriter) -> None:
    groups.remove_member(actor_id=ana.pk, conversation_id=tea, username="bob", log=log)

    with pytest.raises(NotFound):
        get_access(sender_id=bob.pk, sender_username="bob", conversation_id=tea, log=log)


def test_nobody_can_write_to_one_who_is_no_longer_active(ana: User, bob: User, direct: UUID, log: MemoryWriter) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    with pytest.raises(Forbidden):
        get_access(sender_id=ana.pk, sender_username="ana", conversation_id=direct, log=log)


def test_no_access_is_given_while_a_membership_record_waits_for_the_log(
    ana: User, direct: UUID, log: MemoryWriter
) -> None:
    OutboxEntry.objects.update(relayed_at=None)
    log.broken = True
    with pytest.raises(Unavailable):
        get_access(sender_id=ana.pk, sender_username="ana", conversation_id=direct, log=log)
    log.broken = False

    get_access(sender_id=ana.pk, sender_username="ana", conversation_id=direct, log=log)

    assert not OutboxEntry.objects.filter(relayed_at=None).exists()


def test_all_of_a_persons_standings_are_one_statement(
    ana: User, bob: User, direct: UUID, tea: UUID, log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    groups.remove_member(actor_id=ana.pk, conversation_id=tea, username="bob", log=log)

    with django_assert_num_queries(1):
        standings = {standing.conversation_id: standing for standing in load_people([bob.pk])[bob.pk].standings}

    assert set(standings) == {str(direct), str(tea)}
    of_direct, of_tea = standings[str(direct)], standings[str(tea)]
    assert (of_direct.active, of_direct.version, of_direct.kind) == (True, 1, "direct")
    assert (of_direct.peer_id, of_direct.peer_username) == (str(ana.pk), "ana")
    assert (of_tea.active, of_tea.version, of_tea.peer_id) == (False, 2, None)
    access = of_direct.access(bob.pk, "bob")
    assert access == get_access(sender_id=bob.pk, sender_username="bob", conversation_id=direct, log=log)


def test_what_waits_for_the_log_is_said_to_wait(bob: User, direct: UUID) -> None:
    OutboxEntry.objects.update(relayed_at=None)
    assert [standing.waiting for standing in load_people([bob.pk])[bob.pk].standings] == [True]


def test_many_peoples_standings_are_one_statement_and_each_gets_their_own(
    ana: User, bob: User, direct: UUID, tea: UUID, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    stranger = uuid4()
    with django_assert_num_queries(1):
        people = load_people([ana.pk, bob.pk, stranger])
    assert people.keys() == {ana.pk, bob.pk, stranger}
    of_ana, of_bob, of_stranger = (people[user].standings for user in (ana.pk, bob.pk, stranger))
    assert {s.conversation_id for s in of_ana} == {s.conversation_id for s in of_bob} == {str(direct), str(tea)}
    [peer] = [standing.peer_username for standing in of_ana if standing.conversation_id == str(direct)]
    assert (peer, of_stranger, people[ana.pk].after) == ("bob", [], None)


def test_memberships_of_a_person_with_many_come_page_by_page_and_others_share_the_first_statement(
    ana: User,
    bob: User,
    direct: UUID,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "_FIRST", 2)
    monkeypatch.setattr(queries, "_PAGE", 3)
    more = Conversation.objects.bulk_create([Conversation(kind="group", title=str(number)) for number in range(7)])
    Member.objects.bulk_create([Member(conversation=group, user=ana) for group in more])
    with django_assert_num_queries(1):
        people = load_people([ana.pk, bob.pk])
    page = people[ana.pk]
    pages = [[standing.conversation_id for standing in page.standings]]
    while page.after is not None:
        with django_assert_num_queries(1):
            page = load_page(ana.pk, page.after)
        pages.append([standing.conversation_id for standing in page.standings])

    assert [len(page) for page in pages] == [2, 3, 3, 0]
    assert [name for page in pages for name in page] == sorted(str(c) for c in [direct, *(group.pk for group in more)])
    assert ([s.conversation_id for s in people[bob.pk].standings], people[bob.pk].after) == ([str(direct)], None)


def test_the_conversation_with_a_person_is_found_by_name_before_it_was_made(ana: User, bob: User) -> None:
    assert get_direct_id(user_id=ana.pk, username="BOB") == direct_conversation_id(ana.pk, bob.pk)


def test_one_who_is_no_longer_active_is_found_only_by_those_who_have_written_with_them(
    ana: User, bob: User, direct: UUID
) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert get_direct_id(user_id=ana.pk, username="bob") == direct
    details = set()
    for username in ("bob", "nobody", "a\0b"):
        with pytest.raises(NotFound) as refusal:
            get_direct_id(user_id=make_person(f"zoe{len(username)}{username[0]}").pk, username=username)
        details.add(refusal.value.detail.replace(repr(username), ""))
    assert len(details) == 1


def test_nobody_has_a_conversation_with_themselves(ana: User) -> None:
    with pytest.raises(BadRequest):
        get_direct_id(user_id=ana.pk, username="Ana")


def test_members_are_listed_by_name_from_where_one_left_off(
    ana: User, tea: UUID, log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name in ("cleo", "dan", "eve"):
        make_person(name)
        groups.add_member(actor_id=ana.pk, conversation_id=tea, username=name, log=log)
    groups.remove_member(actor_id=ana.pk, conversation_id=tea, username="dan", log=log)

    with django_assert_num_queries(1):
        members = list_members(conversation_id=tea, limit=2, after=("ana",))

    assert [(member.user, member.role) for member in members] == [("bob", "member"), ("cleo", "member")]
    assert [member.user for member in list_members(conversation_id=tea, limit=2, before=("eve",))] == ["bob", "cleo"]
