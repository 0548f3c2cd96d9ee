"""Blocks over REST: the blocked person is refused before anything is appended, and keeps what they could read."""

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import User
from klatsch.accounts.queries import Person
from klatsch.conversations.blocks import check_not_blocked, find_blockers
from klatsch.conversations.invitation_queries import list_states
from klatsch.conversations.models import Conversation
from klatsch.conversations.queries import load_people
from klatsch.core.errors import Blocked
from klatsch.eventlog.models import OutboxEntry
from tests.integration.blocking import block, told, unblock, write
from tests.integration.chat import Chat, read_pages
from tests.integration.people import problem
from tests.support.rates import StoppedBuckets

pytestmark = pytest.mark.django_db


def ids(chat: Chat) -> list[str]:
    return [str(chat.id_of(name)) for name in ("ana", "bob")]


def test_a_blocked_person_is_refused_in_every_way_and_nothing_of_theirs_is_appended(chat: Chat) -> None:
    direct = write(chat, "bob", "ana").json()["conversation"]
    block(chat, "ana", "bob")
    size = sum(map(len, chat.log.records))
    for answer in (
        write(chat, "bob", "ana"),
        write(chat, "bob", "ANA"),
        chat.ask("bob", "POST", f"conversations/{direct}/messages", {"content": "hi"}),
        chat.ask("bob", "PUT", f"conversations/{direct}/messages/once", {"content": "hi"}),
    ):
        assert problem(answer) == (403, "blocked")
    assert sum(map(len, chat.log.records)) == size
    assert len(chat.messages()) == 1


def test_both_keep_the_history_and_their_common_groups(chat: Chat) -> None:
    group = chat.make_group("ana", "bob")
    direct = write(chat, "bob", "ana").json()["conversation"]
    block(chat, "ana", "bob")
    for who, other in (("ana", "bob"), ("bob", "ana")):
        assert len(chat.ask(who, "GET", f"users/{other}/messages").json()["results"]) == 1
        assert len(chat.ask(who, "GET", f"conversations/{direct}/messages").json()["results"]) == 1
        assert {c["id"] for c in chat.ask(who, "GET", "conversations").json()["results"]} == {group, direct}
        assert chat.ask(who, "POST", f"conversations/{group}/messages", {"content": "hi"}).status_code == 201


def test_who_blocks_is_refused_until_they_unblock(chat: Chat) -> None:
    block(chat, "ana", "bob")
    refused = write(chat, "ana", "bob")
    assert problem(refused) == (403, "forbidden")
    assert "Unblock" in refused.json()["detail"]
    unblock(chat, "ana", "bob")
    assert write(chat, "ana", "bob").status_code == 201
    assert write(chat, "bob", "ana").status_code == 201


def test_a_block_is_a_versioned_record_of_both_in_the_direct_conversation(chat: Chat) -> None:
    write(chat, "bob", "ana")
    block(chat, "ana", "bob")
    unblock(chat, "ana", "bob")
    by_person = [{m.user: (m.version, m.active, m.blocked) for m in members} for members in told(chat)]
    assert by_person == [
        {"ana": (1, True, False), "bob": (1, True, False)},
        {"ana": (2, True, False), "bob": (2, True, True)},
        {"ana": (3, True, False), "bob": (3, True, False)},
    ]
    assert not OutboxEntry.objects.filter(relayed_at=None).exists()


def test_blocking_and_unblocking_again_changes_nothing(chat: Chat) -> None:
    for _ in range(3):
        block(chat, "ana", "bob")
    assert len(told(chat)) == 1
    for _ in range(3):
        unblock(chat, "ana", "bob")
    assert len(told(chat)) == 2


def test_two_may_block_each_other_and_each_block_is_lifted_by_who_set_it(chat: Chat) -> None:
    block(chat, "ana", "bob")
    block(chat, "bob", "ana")
    unblock(chat, "ana", "bob")
    assert problem(write(chat, "ana", "bob")) == (403, "blocked")
    assert problem(write(chat, "bob", "ana")) == (403, "forbidden")
    unblock(chat, "bob", "ana")
    assert write(chat, "ana", "bob").status_code == write(chat, "bob", "ana").status_code == 201


def test_nobody_lifts_a_block_of_themselves(chat: Chat) -> None:
    block(chat, "ana", "bob")
    unblock(chat, "bob", "ana")
    assert problem(write(chat, "bob", "ana")) == (403, "blocked")


def test_who_cannot_be_found_cannot_be_blocked(chat: Chat) -> None:
    User.objects.filter(username="zoe").update(is_active=False)
    for method in ("PUT", "DELETE"):
        assert problem(chat.ask("ana", method, "blocks/nobody")) == (404, "not_found")
        assert problem(chat.ask("ana", method, "blocks/zoe")) == (404, "not_found")
        assert problem(chat.ask("ana", method, "blocks/ANA")) == (400, "bad_request")


def test_somebody_who_left_can_be_unblocked(chat: Chat) -> None:
    block(chat, "ana", "bob")
    User.objects.filter(username="bob").update(is_active=False)
    assert [row["user"] for row in chat.ask("ana", "GET", "blocks").json()["results"]] == ["bob"]
    unblock(chat, "ana", "bob")
    assert chat.ask("ana", "GET", "blocks").json()["results"] == []


def test_blocks_are_listed_newest_first_page_by_page_and_only_ones_own(
    chat: Chat, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    names = [f"p{number}" for number in range(5)]
    chat.join(*names)
    for name in names:
        block(chat, "ana", name)
    block(chat, "bob", "ana")
    pages = read_pages(lambda address: chat.ask("ana", "GET", address), "blocks?limit=2")
    assert [[row["user"] for row in page] for page in pages] == [["p4", "p3"], ["p2", "p1"], ["p0"]]
    assert pages[0][0].keys() == {"user", "user_id", "blocked_at"}
    assert chat.ask("zoe", "GET", "blocks").json()["results"] == []
    with django_assert_num_queries(2):  # one for the credential
        chat.ask("ana", "GET", "blocks")


def test_blocks_of_a_person_are_capped(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_BLOCKS_PER_PERSON", 1)
    block(chat, "ana", "bob")
    block(chat, "ana", "bob")
    assert problem(chat.ask("ana", "PUT", "blocks/zoe")) == (409, "limit_reached")
    assert not Conversation.objects.filter(members__user=chat.id_of("zoe")).exists()
    unblock(chat, "ana", "bob")
    block(chat, "ana", "zoe")


def test_blocks_are_rate_limited(chat: Chat) -> None:
    chat.changes = StoppedBuckets(1)
    answers = [chat.ask("ana", "PUT", "blocks/bob").status_code for _ in range(4)]
    assert (answers[0], answers[-1]) == (204, 429)


def test_a_block_whose_record_is_not_in_the_log_holds_and_is_not_confirmed(chat: Chat) -> None:
    write(chat, "bob", "ana")
    chat.writer.broken = True
    assert problem(chat.ask("ana", "PUT", "blocks/bob")) == (503, "unavailable")
    assert problem(write(chat, "bob", "ana")) == (403, "blocked")
    assert len(told(chat)) == 1
    chat.writer.broken = False
    block(chat, "ana", "bob")
    assert len(told(chat)) == 2


def test_a_gateway_reads_who_may_not_write_with_the_standings_in_one_statement(
    chat: Chat, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    block(chat, "ana", "bob")
    ana, bob = chat.id_of("ana"), chat.id_of("bob")
    with django_assert_num_queries(1):
        people = load_people([ana, bob])
    [of_ana], [of_bob] = people[ana].standings, people[bob].standings
    assert (of_ana.blocked, of_ana.blocking, of_ana.may_write) == (False, True, False)
    assert (of_bob.blocked, of_bob.blocking, of_bob.may_write) == (True, False, False)
    assert of_ana.version == of_bob.version == 2


def test_who_has_blocked_somebody_is_found_in_one_statement(
    chat: Chat, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    block(chat, "ana", "bob")
    ana, bob, zoe = (chat.id_of(name) for name in ("ana", "bob", "zoe"))
    with django_assert_num_queries(1):
        assert find_blockers(person_id=bob, among=[ana, zoe]) == {ana}
    assert find_blockers(person_id=ana, among=[bob, zoe]) == set()
    assert find_blockers(person_id=bob, among=[]) == set()
    check_not_blocked(person_id=ana, people=[Person(bob, "bob")])
    with pytest.raises(Blocked, match="ana"):
        check_not_blocked(person_id=bob, people=[Person(zoe, "zoe"), Person(ana, "ana")])


def test_a_blocked_person_changes_nothing_there_and_nothing_is_appended(chat: Chat) -> None:
    own = write(chat, "bob", "ana").json()["id"]
    theirs = write(chat, "ana", "bob").json()["id"]
    block(chat, "ana", "bob")
    size = sum(map(len, chat.log.records))
    for method, path, body in (
        ("PATCH", f"messages/{own}", {"content": "hi!"}),
        ("DELETE", f"messages/{own}", None),
        ("PUT", f"messages/{theirs}/reactions/👍", None),
        ("PUT", f"messages/{theirs}/pin", None),
    ):
        assert problem(chat.ask("bob", method, path, body)) == (403, "blocked")
    assert sum(map(len, chat.log.records)) == size


def test_an_invitation_from_a_blocked_person_is_shown_no_more_and_again_when_the_block_ends(chat: Chat) -> None:
    """A group's present title is in its invitations: its owner could go on writing by renaming it."""
    tea = chat.make_group("bob")
    chat.ask("bob", "POST", "invitations", {"conversation": tea, "username": "ana"})
    block(chat, "ana", "bob")
    chat.ask("bob", "PATCH", f"conversations/{tea}", {"title": "Read this, Ana"})
    assert chat.ask("ana", "GET", "invitations").json()["results"] == []
    assert list_states(chat.id_of("ana")) == []
    unblock(chat, "ana", "bob")
    assert [one["title"] for one in chat.ask("ana", "GET", "invitations").json()["results"]] == ["Read this, Ana"]
    [opened] = list_states(chat.id_of("ana"))
    block(chat, "ana", "bob")
    chat.ask("bob", "DELETE", f"invitations/{opened.id}")
    [ended] = list_states(chat.id_of("ana"))
    assert (ended.state, ended.title) == ("withdrawn", "")
