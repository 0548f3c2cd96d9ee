"""Reads changed memberships, with which a judge of the log begins (D5, D9)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from klatsch.eventlog.places import OFFSET_MOST
from klatsch.records.judge import StandingAt

_REMOVALS: Final = """
    SELECT DISTINCT ON (conversation_id, user_id) conversation_id::text, user_id::text, version, active, partition,
        "offset", role, blocked
    FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[]) AS bound(held, begins_at, ends_at)
    JOIN messaging_membershipinterval ON partition = held AND "offset" >= begins_at AND "offset" < ends_at
    WHERE epoch = %s AND version > 1
    ORDER BY conversation_id, user_id, version DESC"""


def read_removals(
    connection: psycopg.Connection[Any],
    epoch: int,
    partitions: Sequence[int],
    *,
    since: Mapping[int, int],
    before: Mapping[int, int] | None = None,
) -> list[StandingAt]:
    """Returns the memberships of people who were ever removed, by their highest version, for judging.

    Only records from `since` on count, what the log can still hold: an archive of years has millions of others. A
    partition without a `since` counts from its beginning. With `before`, only records below that offset of their
    partition count: a judge that reads on from there must not know later removals, which would make other records void.
    """
    begins = [since.get(partition, 0) for partition in partitions]
    ends = [before[partition] if before is not None else OFFSET_MOST for partition in partitions]
    rows = connection.execute(_REMOVALS, (list(partitions), begins, ends, epoch)).fetchall()
    return [StandingAt(*row) for row in rows]
