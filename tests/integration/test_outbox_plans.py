"""A relay reads the entries that wait, whatever the planner's statistics say of how many there are."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.outbox import RELAY_MOST, relay_records

pytestmark = pytest.mark.django_db

_FILL = """
    INSERT INTO eventlog_outboxentry (key, value, judge, place, created_at, relayed_at)
    SELECT 'key', repeat('x', 300)::bytea, '', i::text::bytea, now(), CASE WHEN i <= 20000 OR %s THEN now() END
    FROM generate_series(1, 22000) i;
    ANALYZE eventlog_outboxentry;
    UPDATE eventlog_outboxentry SET relayed_at = CASE WHEN %s THEN now() END WHERE id %% 11 = 0 OR NOT %s"""


@pytest.mark.parametrize("wait_now", [False, True])
def test_a_relay_looks_for_what_waits_by_its_index_and_for_its_rows_by_their_ids(*, wait_now: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [wait_now, not wait_now, wait_now])
        with CaptureQueriesContext(connection) as captured:
            assert relay_records(MemoryWriter(MemoryLog())) == (RELAY_MOST if wait_now else 0)
        claim = next(query["sql"] for query in captured.captured_queries if "UPDATE" in query["sql"])
        cursor.execute("EXPLAIN " + claim)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "using outbox_waiting on eventlog_outboxentry waiting" in plan
    assert "using eventlog_outboxentry_pkey on eventlog_outboxentry " in plan
