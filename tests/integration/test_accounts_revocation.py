"""Whatever ends a credential deletes it and promises the log, in one transaction, a record that names it (D13)."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts import revocation
from klatsch.accounts.credentials import HeldCredential, find_live
from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.services import create_ticket
from klatsch.core.errors import NotFound
from klatsch.eventlog.models import OutboxEntry
from klatsch.records.keys import PERSON
from klatsch.records.kinds import KINDS
from klatsch.records.people import UserChanged, credential_digest
from tests.integration.chat import Chat
from tests.integration.credentials import ended, live, promised, session_of, token_of
from tests.integration.people import (
    PASSWORD,
    V1,
    admin_form,
    log_in,
    make_person,
    make_person_with_password,
    post,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


class TestRecords:
    def test_a_record_names_the_person_and_digests_and_nothing_that_is_a_credential(self) -> None:
        ana = make_person()
        client, digest = session_of(ana)
        headers, token_digest = token_of(ana)
        post(client, f"{V1}/auth/logout")
        post(Client(), f"{V1}/auth/logout", headers=headers)
        [of_session, of_token] = promised()
        assert (of_session.user, of_session.user_id, of_session.what) == ("ana", str(ana.pk), "ended")
        assert (of_session.credentials, of_token.credentials) == ([digest], [token_digest])
        rows = list(OutboxEntry.objects.all())
        assert {bytes(row.key) for row in rows} == {bytes(row.place) for row in rows} == {PERSON.of(str(ana.pk))}
        for row in rows:
            assert headers["Authorization"].split()[1].encode() not in bytes(row.value)

    def test_a_record_is_relayed_before_the_answer(self) -> None:
        chat = Chat()
        chat.join("ana")
        assert chat.ask("ana", "POST", "auth/logout").status_code == 204
        [record] = [record for partition in chat.log.records for record in partition]
        assert isinstance(KINDS.decode(record.value), UserChanged)
        assert not OutboxEntry.objects.filter(relayed_at=None).exists()

    def test_without_a_log_a_credential_ends_all_the_same(self) -> None:
        client, digest = session_of(make_person())
        assert post(client, f"{V1}/auth/logout").status_code == 204
        assert OutboxEntry.objects.get().relayed_at is None
        assert not Session.objects.filter(digest=digest).exists()

    def test_very_many_credentials_take_several_records(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(revocation, "RECORD_CREDENTIALS_MOST", 2)
        ana = make_person()
        digests = {token_of(ana)[1] for _ in range(5)}
        revocation.end_credentials(ana, revocation.held_by(ana))
        assert ended() == digests
        assert [len(event.credentials) for event in promised()] == [2, 2, 1]

    def test_what_is_undone_is_not_promised(self) -> None:
        ana = make_person()
        _, digest = session_of(ana)
        with transaction.atomic():
            revocation.end_session(person_id=ana.pk, session_id=digest)
            transaction.set_rollback(True)
        assert live(ana, digest) == {digest}
        assert promised() == []


class TestWhatEndsThem:
    def test_a_new_sign_in_over_a_session_ends_the_old_one(self) -> None:
        ana = make_person_with_password()
        client, digest = session_of(ana)
        assert log_in(client).status_code == 200
        assert ended() == {digest}
        assert live(ana, credential_digest(client.cookies["sessionid"].value), digest) == {
            credential_digest(client.cookies["sessionid"].value)
        }

    def test_one_of_my_tokens_ends_by_its_id(self) -> None:
        ana = make_person()
        headers, _ = token_of(ana)
        other, digest = token_of(ana)
        shown = [row["id"] for row in Client().get(f"{V1}/auth/tokens", headers=headers).json()["results"]]
        [token_id] = [one for one in shown if other["Authorization"].split()[1].startswith(one)]
        assert Client().delete(f"{V1}/auth/tokens/{token_id}", headers=headers).status_code == 204
        assert ended() == {digest}

    def test_staff_who_end_a_token_end_its_sockets(self) -> None:
        ana = make_person()
        digests = [token_of(ana)[1] for _ in range(3)]
        first, *more = AuthToken.objects.order_by("created")
        staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
        staff.post(f"/admin/knox/authtoken/{first.pk}/delete/", {"post": "yes"})
        assert ended() == {credential_digest(first.pk)}
        words = {"action": "delete_selected", "_selected_action": [one.pk for one in more], "post": "yes"}
        staff.post("/admin/knox/authtoken/", words)
        assert ended() == set(digests)

    def test_logging_out_of_the_admin_ends_the_session_as_any_logout(self) -> None:
        staff, digest = session_of(make_person("root", is_staff=True))
        staff.post("/admin/logout/")
        assert ended() == {digest}

    def test_staff_who_deactivate_somebody_end_all_that_they_have(self) -> None:
        ana = make_person()
        _, session = session_of(ana)
        _, token = token_of(ana)
        create_ticket(person_id=ana.pk, credential=token)
        staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
        form = admin_form(ana, is_active="")
        assert staff.post(f"/admin/accounts/user/{ana.pk}/change/", form).status_code == 302
        assert [(event.user, event.what, event.credentials) for event in promised()] == [("ana", "deactivated", "all")]
        assert live(ana, session, token) == set()
        assert not Ticket.objects.exists()

    def test_staff_who_change_anything_else_end_nothing(self) -> None:
        ana = make_person()
        _, session = session_of(ana)
        staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
        form = admin_form(ana, email="new@example.org")
        assert staff.post(f"/admin/accounts/user/{ana.pk}/change/", form).status_code == 302
        assert promised() == []
        assert live(ana, session) == {session}

    def test_staff_who_set_a_password_end_all_that_was_there_and_keep_their_own_session(self) -> None:
        ana, root = make_person(), make_person("root", is_staff=True, is_superuser=True)
        _, session = session_of(ana)
        _, token = token_of(ana)
        staff, of_staff = session_of(root)
        words = {"usable_password": "true", "password1": "a good new one", "password2": "a good new one"}
        assert staff.post(f"/admin/accounts/user/{ana.pk}/password/", words).status_code == 302
        assert ended() == {session, token, of_staff}  # Django renews the session of staff who do this
        assert live(ana, session, token) == set()
        assert staff.post(f"/admin/accounts/user/{root.pk}/password/", words).status_code == 302
        assert staff.get("/admin/").status_code == 200

    def test_staff_who_change_their_own_password_in_the_admin_end_all_else_that_they_have(self) -> None:
        root = make_person_with_password("root", is_staff=True)
        staff, of_staff = session_of(root)
        _, session = session_of(root)
        _, token = token_of(root)
        words = {"old_password": PASSWORD, "new_password1": "a good new one", "new_password2": "a good new one"}
        assert staff.post("/admin/password_change/", words | {"old_password": "wrong"}).status_code == 200
        assert promised() == []
        assert staff.post("/admin/password_change/", words).status_code == 302
        assert ended() == {session, token, of_staff}
        assert live(root, session, token, of_staff) == set()
        assert staff.get("/admin/").status_code == 200

    def test_a_password_for_nobody_is_no_fault_of_ours(self) -> None:
        staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
        for nobody in ("no-uuid", str(uuid.uuid4())):
            assert staff.get(f"/admin/accounts/user/{nobody}/password/").status_code == 404

    def test_a_ticket_ends_with_the_credential_that_it_was_made_with(self) -> None:
        ana = make_person()
        client, digest = session_of(ana)
        assert post(client, f"{V1}/auth/ticket").status_code == 201
        assert Ticket.objects.get().credential == digest
        post(client, f"{V1}/auth/logout")
        assert not Ticket.objects.exists()

    def test_nobody_ends_what_is_not_theirs(self) -> None:
        _, digest = session_of(make_person("ana"))
        with pytest.raises(NotFound):
            revocation.end_session(person_id=make_person("bob").pk, session_id=digest)
        assert promised() == []


CHANGES: dict[str, Callable[[User], Any]] = {
    "deactivated": lambda ana: User.objects.filter(pk=ana.pk).update(is_active=False),
    "expired": lambda _: (
        Session.objects.update(expire_date=timezone.now() - timedelta(minutes=5)),
        AuthToken.objects.update(expiry=timezone.now() - timedelta(minutes=5)),
    ),
    "deleted": lambda _: (Session.objects.all().delete(), AuthToken.objects.all().delete()),
}


class TestFindLive:
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_credential_counts_until_its_person_or_itself_has_ended(self, change: str) -> None:
        ana = make_person()
        digests = {session_of(ana)[1], token_of(ana)[1]}
        assert live(ana, *digests, credential_digest("forged")) == digests
        CHANGES[change](ana)
        assert live(ana, *digests) == set()

    def test_a_password_changed_by_hand_ends_sessions(self) -> None:
        ana = make_person()
        (_, session), (_, token) = session_of(ana), token_of(ana)
        User.objects.update(password=make_password(PASSWORD))
        assert live(ana, session, token) == {token}

    def test_many_are_asked_about_in_one_statement(self, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        people = [make_person(f"person-{number}") for number in range(5)]
        held = [HeldCredential(person.pk, token_of(person)[1]) for person in people]
        held += [HeldCredential(person.pk, session_of(person)[1]) for person in people]
        with django_assert_num_queries(1):
            assert find_live(held) == {one.credential for one in held}

    def test_a_credential_of_somebody_else_does_not_count(self) -> None:
        _, token = token_of(make_person("ana"))
        assert find_live([HeldCredential(uuid.uuid4(), token)]) == set()


def test_a_session_knows_its_person_and_when_it_was_used_without_a_write_for_each_request(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ana = make_person()
    client, digest = session_of(ana)
    row = Session.objects.get(digest=digest)
    assert (row.user, row.digest) == (ana, digest)
    Session.objects.update(last_used_at=timezone.now() - timedelta(minutes=6))
    with django_assert_num_queries(3):
        client.get(f"{V1}/me")
    assert timezone.now() - Session.objects.get().last_used_at < timedelta(minutes=1)
    with django_assert_num_queries(2):
        client.get(f"{V1}/me")
