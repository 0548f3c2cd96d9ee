"""Plans of pages over 100,000 messages, half of them in one conversation: the cost does not grow with the table."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.queries import search_people
from klatsch.archive.histories import list_mentions, list_messages, list_own_messages, list_pins
from klatsch.archive.overview import list_conversations
from tests.integration.archive_rows import BEGINNING
from tests.integration.people import make_person
from tests.integration.plans import nodes

pytestmark = pytest.mark.django_db

MESSAGES = 100_000
CONVERSATIONS = 200
LARGE = UUID(int=0)
PAGE = 51

# Conversation 0 has half of the messages; ana is in all of them, so her own history is the worst there can be.
_FILL = """
    INSERT INTO conversations_conversation (id, kind, title, created_at)
    SELECT lpad(to_hex(i), 32, '0')::uuid, 'group', 'g', now() FROM generate_series(0, %(conversations)s - 1) i;
    INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at)
    SELECT id, %(ana)s, 'owner', true, 1, now() FROM conversations_conversation;
    INSERT INTO messaging_message (id, client_id, conversation_id, sender_id, content, sent_at, epoch, partition,
        "offset", changed_epoch, changed_offset, seq, digest, deleted, reactions)
    SELECT gen_random_uuid(), i::text,
        lpad(to_hex(CASE WHEN i %% 2 = 0 THEN 0 ELSE i %% %(conversations)s END), 32, '0')::uuid,
        %(ana)s, 'content', %(time)s::timestamptz + i * interval '1 second', 1, 0, i, 1, i, i, '', false, '{}'
    FROM generate_series(1, %(messages)s) i;
    INSERT INTO messaging_conversationstate
        (conversation_id, last_seq, last_message, last_sent_at, epoch, partition, last_offset)
    SELECT DISTINCT ON (conversation_id) conversation_id, seq, id, sent_at, epoch, partition, "offset"
    FROM messaging_message ORDER BY conversation_id, epoch DESC, "offset" DESC;
    ANALYZE messaging_message, conversations_conversation, conversations_member, messaging_conversationstate
"""


@pytest.fixture
def ana() -> UUID:
    user_id: UUID = make_person("ana").pk
    values: dict[str, Any] = {"ana": user_id, "time": BEGINNING, "messages": MESSAGES, "conversations": CONVERSATIONS}
    with connection.cursor() as cursor:
        cursor.execute(_FILL, values)
    return user_id


def read_rows(read: Callable[[], object], table: str = "messaging_message") -> int:
    """Returns how many rows of a table a read's one statement takes; refuses any scan of the whole table."""
    with CaptureQueriesContext(connection) as captured:
        read()
    [statement] = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement["sql"])
        [[[explained]]] = cursor.fetchall()
    scans = [node for node in nodes(explained["Plan"]) if node.get("Relation Name") == table]
    assert scans
    assert all(node["Node Type"] in {"Index Scan", "Index Only Scan"} for node in scans), scans
    assert all(node.get("Rows Removed by Filter", 0) == 0 for node in scans), scans
    return sum(round(node["Actual Rows"] * node["Actual Loops"]) for node in scans)


_PEOPLE = """
    INSERT INTO accounts_user (id, username, email, password, is_superuser, is_staff, is_active, date_joined,
        display_name, about, awaits_email)
    SELECT gen_random_uuid(), 'Ana' || i, i || '@example.org', '', false, false, true, now(), '', '', false
    FROM generate_series(1, 20000) i;
    ANALYZE accounts_user
"""


@pytest.mark.parametrize("place", [{}, {"after": ("ana15",)}, {"before": ("ana15",)}], ids=["first", "after", "before"])
def test_a_page_of_people_reads_its_own_rows_by_the_index_of_names(place: dict[str, tuple[str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE)

    assert read_rows(lambda: search_people(prefix="ANA1", limit=PAGE, **place), "accounts_user") == PAGE


def test_a_page_of_a_conversation_reads_its_own_rows_and_no_others(ana: UUID) -> None:
    for place in ({}, {"after": (1, MESSAGES // 2)}, {"after": (1, 200)}, {"before": (1, MESSAGES // 2)}):
        assert read_rows(lambda place=place: list_messages(conversation_id=LARGE, limit=PAGE, **place)) == PAGE  # type: ignore[misc]  # bound now


def test_a_page_of_ones_own_history_reads_a_row_of_each_conversation_and_few_more(ana: UUID) -> None:
    first = list_own_messages(user_id=ana, limit=PAGE)
    last = first[-1]
    after = (BEGINNING.fromisoformat(last.sent_at), UUID(last.id))

    for read in (
        lambda: list_own_messages(user_id=ana, limit=PAGE),
        lambda: list_own_messages(user_id=ana, limit=PAGE, after=after),
        lambda: list_own_messages(user_id=ana, limit=PAGE, before=after),
    ):
        assert read_rows(read) <= CONVERSATIONS + PAGE * PAGE


_MARK: Final = """
    INSERT INTO messaging_mention (message_id, user_id, conversation_id, seq, sent_at)
    SELECT id, %(ana)s, conversation_id, seq, sent_at FROM messaging_message WHERE seq %% 2 = 0;
    UPDATE messaging_message SET pinned_at = sent_at WHERE seq %% 4000 = 0;
    ANALYZE messaging_mention, messaging_message
"""


def test_a_page_of_mentions_and_the_pins_read_their_own_rows_and_no_others(ana: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"ana": ana})
    last = list_mentions(user_id=ana, limit=PAGE)[-1]
    after = (BEGINNING.fromisoformat(last.sent_at), UUID(last.id))
    for read in (
        lambda: list_mentions(user_id=ana, limit=PAGE),
        lambda: list_mentions(user_id=ana, limit=PAGE, after=after),
        lambda: list_mentions(user_id=ana, limit=PAGE, before=after),
    ):
        assert read_rows(read, "messaging_mention") <= PAGE
        assert read_rows(read) <= PAGE
    pins = len(list_pins(LARGE))
    assert pins == MESSAGES // 4_000
    assert read_rows(lambda: list_pins(LARGE)) == pins


def test_a_page_of_conversations_reads_their_last_messages_and_no_others(ana: UUID) -> None:
    assert read_rows(lambda: list_conversations(user_id=ana, limit=PAGE)) <= PAGE
