"""Invitations and transfers at once with other changes of a group: each sees what the one before it did."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections
from django.utils import timezone

from klatsch.accounts.queries import Person
from klatsch.conversations import groups
from klatsch.conversations.invitation_queries import INVITATION_DAYS
from klatsch.conversations.invitations import (
    accept_invitation,
    decline_invitation,
    invite_person,
    sweep_invitations,
    withdraw_invitation,
)
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.core.errors import Conflict, Gone, NotFound
from tests.integration.at_once import at_once
from tests.integration.race import Race
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
_ROUNDS = 4


class Invited(Race):
    """An invitation of zoe to the group of ana and bob, both owners."""

    def __init__(self) -> None:
        super().__init__()
        self.invite()

    def invite(self) -> None:
        invitation = invite_person(actor_id=self.id_of("ana"), conversation_id=self.group, username="zoe")
        self.invitation = UUID(invitation.id)

    def accept(self) -> None:
        accept_invitation(person=Person(self.id_of("zoe"), "zoe"), invitation_id=self.invitation, log=self.log)

    def decline(self) -> None:
        decline_invitation(person_id=self.id_of("zoe"), invitation_id=self.invitation)

    def withdraw(self) -> None:
        withdraw_invitation(actor_id=self.id_of("ana"), invitation_id=self.invitation)

    def transfer(self) -> None:
        groups.transfer_group(actor_id=self.id_of("ana"), conversation_id=self.group, username="bob", log=self.log)

    def dissolve(self) -> None:
        groups.dissolve_group(actor_id=self.id_of("bob"), conversation_id=self.group, log=self.log)

    def state(self) -> str:
        return Invitation.objects.get(pk=self.invitation).state

    def is_in(self, name: str) -> bool:
        return Member.objects.filter(conversation=self.group, user=self.people[name], active=True).exists()

    def check_count(self) -> None:
        active = Member.objects.filter(conversation=self.group, active=True).count()
        assert Conversation.objects.get(pk=self.group).member_count == active


@pytest.fixture
def race() -> Iterator[Invited]:
    yield Invited()
    connections.close_all()


def test_many_accepts_at_once_make_one_member(race: Invited) -> None:
    assert at_once([race.accept] * 4) == [None] * 4

    assert (race.is_in("zoe"), race.state()) == (True, "accepted")
    assert Invitation.objects.get(pk=race.invitation).version == 2
    assert [version for version in race.versions_told("zoe") if version] == [1]
    race.check_count()


def test_of_an_accept_and_a_withdrawal_at_once_the_first_counts_and_the_other_is_told(race: Invited) -> None:
    for _ in range(_ROUNDS):
        accepted, withdrawn = at_once([race.accept, race.withdraw])

        if race.is_in("zoe"):
            assert (type(withdrawn), accepted, race.state()) == (Conflict, None, "accepted")
            race.remove("bob", "zoe")
        else:
            assert (type(accepted), withdrawn, race.state()) == (Gone, None, "withdrawn")
        race.check_count()
        race.invite()


def test_of_an_accept_and_a_refusal_at_once_exactly_one_counts(race: Invited) -> None:
    refusals = at_once([race.accept, race.decline])

    assert [type(refusal) for refusal in refusals if refusal] == [Conflict]
    assert race.state() == ("accepted" if race.is_in("zoe") else "declined")
    race.check_count()


def test_an_accept_and_an_addition_at_once_make_one_member(race: Invited) -> None:
    assert at_once([race.accept, lambda: race.add("ana", "zoe"), race.accept]) == [None] * 3

    assert (race.is_in("zoe"), race.state()) == (True, "accepted")
    race.check_count()


def test_a_group_that_is_dissolved_while_somebody_accepts_has_no_member(race: Invited) -> None:
    accepted, dissolved = at_once([race.accept, race.dissolve])

    assert dissolved is None
    assert accepted is None or type(accepted) is Gone
    assert not race.is_in("zoe")
    race.check_count()


def test_one_who_is_invited_by_many_at_once_has_one_invitation(race: Invited) -> None:
    race.withdraw()
    assert at_once([race.invite] * 4) == [None] * 4

    assert Invitation.objects.get(conversation=race.group).version == 3


def test_a_sweep_beside_an_answer_neither_waits_nor_ends_it_twice(race: Invited) -> None:
    assert at_once([race.accept, sweep_invitations, sweep_invitations]) == [None] * 3  # type: ignore[list-item]  # the number is not asked for

    assert Invitation.objects.get(pk=race.invitation).version == 2


@pytest.mark.parametrize("moment", ["before its row changes", "before its commit"])
def test_an_invitation_reopened_while_the_sweep_runs_can_be_accepted(race: Invited, moment: str) -> None:
    race.withdraw()
    long_ago = timezone.now() - timedelta(days=2 * INVITATION_DAYS)
    Invitation.objects.update(created_at=long_ago, changed_at=long_ago)
    swept: list[Future[None]] = []

    def sweep_meanwhile(execute: Callable[..., object], sql: str, *given: Any) -> object:
        """Lets the sweep go as far as it can at that moment: to its end, or to a lock of the inviter."""
        if swept or not sql.startswith('UPDATE "conversations_invitation"'):
            return execute(sql, *given)
        is_changed = moment == "before its commit"
        done = execute(sql, *given) if is_changed else None
        swept.append(threads.submit(sweep, pids := list[int]()))
        wait_until(lambda: swept[0].done() or (pids and waits_for_a_lock(pids[0])))
        return done if is_changed else execute(sql, *given)

    with ThreadPoolExecutor(1) as threads:
        with connection.execute_wrapper(sweep_meanwhile):
            race.invite()
        swept[0].result()
    race.accept()

    assert race.is_in("zoe")


def sweep(pids: list[int]) -> None:
    """Sweeps on a connection of its own, whose process it tells."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids += cursor.fetchone()
        sweep_invitations()
    finally:
        connections.close_all()


def waits_for_a_lock(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE pid = %s AND NOT granted", [pid])
        return cursor.fetchone() is not None


def test_a_transfer_to_somebody_who_leaves_at_once_never_leaves_the_group_without_an_owner(race: Invited) -> None:
    groups.change_role(
        actor_id=race.id_of("ana"), conversation_id=race.group, username="bob", role="member", log=race.log
    )
    transferred, left = at_once([race.transfer, lambda: race.remove("bob", "bob")])

    if race.is_in("bob"):
        assert (transferred, type(left)) == (None, Conflict)
    else:
        assert (type(transferred), left) == (NotFound, None)
    owners = Member.objects.filter(conversation=race.group, active=True, role="owner")
    assert [owner.user.username for owner in owners] == ["bob" if race.is_in("bob") else "ana"]
    race.check_count()
