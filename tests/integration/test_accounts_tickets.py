"""The table of tickets: it keeps none for long, and nobody reads another person's."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from knox.models import AuthToken

from klatsch.accounts import revocation
from klatsch.accounts.models import Ticket, User
from klatsch.accounts.services import FORGOTTEN_AT_ONCE, create_ticket, redeem_ticket
from tests.integration.credentials import session_of, token_of
from tests.integration.people import V1, make_person, post
from tests.integration.plans import nodes

pytestmark = pytest.mark.django_db
OTHERS = 20_000

_FILL = """
    INSERT INTO accounts_ticket (digest, user_id, credential, expires_at)
    SELECT 'other' || i, %s, 'of others', %s FROM generate_series(1, %s) i;
    ANALYZE accounts_ticket"""


def fill(person: User, *, lived_for: timedelta, count: int = OTHERS) -> None:
    """Makes tickets of somebody that expired so long ago, or that expire yet."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [person.pk, timezone.now() - lived_for, count])


def rows_read(act: Callable[[], object]) -> int:
    """Returns the tickets that the statements of an act read, with those that their filters remove."""
    with CaptureQueriesContext(connection) as captured:
        act()
    statements = [
        sql for one in captured.captured_queries if "accounts_ticket" in (sql := one["sql"]) and "INSERT" not in sql
    ]
    assert statements
    return sum(map(_rows_of, statements))


def _rows_of(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement)
        [[[explained]]] = cursor.fetchall()
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") == "accounts_ticket" and node["Node Type"].endswith("Scan")
    )


def leave(person: User) -> None:
    client, digest = session_of(person)
    create_ticket(person_id=person.pk, credential=digest)
    post(client, f"{V1}/auth/logout")


def end_session(person: User) -> None:
    _, digest = session_of(person)
    create_ticket(person_id=person.pk, credential=digest)
    revocation.end_session(person_id=person.pk, session_id=digest)


def end_token(person: User) -> None:
    _, digest = token_of(person)
    create_ticket(person_id=person.pk, credential=digest)
    revocation.end_tokens(AuthToken.objects.filter(user=person))


@pytest.mark.parametrize("end", [leave, end_session, end_token])
def test_ending_a_credential_reads_no_other_persons_ticket(end: Callable[[User], None]) -> None:
    fill(make_person("bob"), lived_for=timedelta(days=-1))
    ana = make_person("ana")
    assert rows_read(lambda: end(ana)) <= 2
    assert Ticket.objects.count() == OTHERS


def test_no_ticket_outlives_its_day_whoever_asks_for_the_next_one() -> None:
    fill(make_person("bob"), lived_for=timedelta(days=1), count=5)
    ana = make_person("ana")
    _, digest = token_of(ana)
    made = create_ticket(person_id=ana.pk, credential=digest)
    assert [one.user for one in Ticket.objects.all()] == [ana]
    assert redeem_ticket(ticket=made.ticket).id == ana.pk


def test_a_request_reads_and_deletes_few_expired_tickets_however_many_there_are() -> None:
    fill(make_person("bob"), lived_for=timedelta(days=1))
    ana = make_person("ana")
    _, digest = token_of(ana)
    assert rows_read(lambda: create_ticket(person_id=ana.pk, credential=digest)) <= 5 * FORGOTTEN_AT_ONCE
    assert Ticket.objects.count() > OTHERS - 5 * FORGOTTEN_AT_ONCE


def test_what_others_have_not_used_yet_stays() -> None:
    fill(make_person("bob"), lived_for=timedelta(seconds=-20), count=5)
    ana = make_person("ana")
    _, digest = token_of(ana)
    create_ticket(person_id=ana.pk, credential=digest)
    assert Ticket.objects.count() == 6
