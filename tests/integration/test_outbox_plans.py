"""A relay reads the entries that wait, however many were relayed, and however many had waited once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.outbox import relay_records

pytestmark = pytest.mark.django_db

_FILL = """
    INSERT INTO eventlog_outboxentry (key, value, judge, place, created_at, relayed_at)
    SELECT 'key', repeat('x', 300)::bytea, '', i::text::bytea, now(), CASE WHEN i <= 20000 THEN now() END
    FROM generate_series(1, 21000) i;
    ANALYZE eventlog_outboxentry;
    UPDATE eventlog_outboxentry SET relayed_at = now() WHERE relayed_at IS NULL"""


def test_a_relay_reads_no_relayed_entries_although_many_had_waited_when_the_planner_looked() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL)
        with CaptureQueriesContext(connection) as captured:
            assert relay_records(MemoryWriter(MemoryLog())) == 0
        [claim] = [query["sql"] for query in captured.captured_queries if "UPDATE" in query["sql"]]
        cursor.execute("EXPLAIN ANALYZE " + claim)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "outbox_in_order" in plan
    assert "Rows Removed" not in plan
