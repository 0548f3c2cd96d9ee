"""Reads the archive's verdicts on changes of messages (D18)."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg

_EFFECTS: Final = """
    SELECT change.partition, change."offset", change.effective
    FROM unnest(%s::smallint[], %s::bigint[]) AS bound(partition, begins)
    JOIN messaging_change change
      ON change.epoch = %s AND change.partition = bound.partition AND change."offset" >= bound.begins"""


def read_effects(
    connection: psycopg.Connection[Any], epoch: int, since: Mapping[int, int]
) -> dict[tuple[int, int], bool]:
    """Returns the changes in force from these offsets on, by partition and offset, with whether they had an effect."""
    rows = connection.execute(_EFFECTS, (list(since), list(since.values()), epoch)).fetchall()
    return {(partition, offset): effective for partition, offset, effective in rows}
