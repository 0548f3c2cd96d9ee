"""Prints PostgreSQL's plan for a page of a history: `python -m bench.rest.explain CONVERSATION EPOCH OFFSET`."""

import os
import sys
from uuid import UUID

import django

_PAGE = 51


def explain(conversation: UUID, place: tuple[int, int]) -> str:
    """Runs the statement of the page before a place, and returns its plan with what it really read."""
    from django.db import connection  # noqa: PLC0415 - Django reads its settings first
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from klatsch.archive.histories import list_messages  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        list_messages(conversation_id=conversation, limit=_PAGE, after=place)
    [statement] = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + statement["sql"])
        return "\n".join(row[0] for row in cursor.fetchall())


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "klatsch.settings"
    django.setup()
    print(explain(UUID(sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))))
