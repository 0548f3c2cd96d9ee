"""Reads changed memberships, with which a judge of the log begins (D5, D9)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import psycopg

from klatsch.eventlog.places import OFFSET_MOST
from klatsch.records.judge import StandingAt

_REMOVALS: Final = """
    SELECT DISTINCT ON (conversation_id, user_id) conversation_id::text, user_id::text, version, active, partition,
        "offset", role, blocked
    FROM messaging_membershipinterval
    JOIN unnest(%s::smallint[], %s::bigint[]) AS bound(held, ends_at) ON partition = held
    WHERE epoch = %s AND version > 1 AND "offset" < ends_at
    ORDER BY conversation_id, user_id, version DESC"""


def read_removals(
    connection: psycopg.Connection[Any],
    epoch: int,
    partitions: Sequence[int],
    since: Mapping[int, int] | None = None,
    before: Mapping[int, int] | None = None,
) -> list[StandingAt]:
    """Returns the memberships of all people who were ever removed, by their highest version, for judging.

    With `before`, only versions below that offset of their partition count: a judge that reads on from there must not
    know later removals, which would make other records void. With `since`, only memberships from that offset on are
    returned: what the log can still hold.
    """
    ends = [before[partition] if before is not None else OFFSET_MOST for partition in partitions]
    rows = connection.execute(_REMOVALS, (list(partitions), ends, epoch)).fetchall()
    return [StandingAt(*row) for row in rows if since is None or row[5] >= since[row[4]]]
