"""Reads the markers that were moved since a place in the log, for the replays of `archive.changes` (D7, D19)."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from klatsch.archive.markers import place_sql

MARKERS_MOST: Final = 500
"""The most markers in a page of a replay."""


class MarkerState(msgspec.Struct, frozen=True, gc=False):
    """A person's marker as it is now, in the shape of its record. Only one's own has `unread_from`.

    `changed` is the position of the last record that is in it: a client need not hear earlier ones.
    """

    conversation: str
    user: str
    user_id: str
    delivered: str | None
    read: str | None
    changed: str
    unread_from: str | UnsetType | None = UNSET


_MOVED_SINCE: Final = "k.changed_epoch = %(epoch)s AND k.changed_offset >= asked.begin"
_IN_RANGE: Final = f"{_MOVED_SINCE} AND k.changed_offset < asked.until"

# A row is a person's marker as it is now, and a later record in memory need not repeat what an earlier one said. One's
# own is therefore told beyond the end of the range as well. The exception is a row without a flag whose `read` is of a
# message in memory. That `read` clears the flags that memory tells before it, and must not be told ahead of them.
# Memory may still set a flag again that within memory was set and then cleared by reading an older message. By
# `changed`, clients know that this row is later.
_OWN_IN_RANGE: Final = f"""{_MOVED_SINCE} AND (k.changed_offset < asked.until OR k.unread_offset IS NOT NULL
       OR (k.read_epoch, k.read_offset) < (%(epoch)s, asked.until))"""

MOVED: Final = f"""
    (SELECT k.*, u.username FROM messaging_marker k JOIN accounts_user u ON u.id = k.user_id
     WHERE NOT asked.own AND k.conversation_id = asked.conversation_id AND k.user_id = %(user)s AND {_OWN_IN_RANGE}
     UNION ALL
     SELECT k.*, u.username
     FROM conversations_conversation c
     CROSS JOIN LATERAL (  -- in a larger conversation, no row is read
         SELECT * FROM messaging_marker theirs
         WHERE c.member_count <= %(shown_most)s AND theirs.conversation_id = c.id AND theirs.active) k
     JOIN accounts_user u ON u.id = k.user_id
     WHERE NOT asked.own AND c.id = asked.conversation_id AND k.user_id <> %(user)s AND u.read_receipts AND {_IN_RANGE}
       AND NOT EXISTS (SELECT FROM conversations_member blocked WHERE blocked.conversation_id = c.id
                       AND blocked.user_id = k.user_id AND blocked.blocked_by_id IS NOT NULL))"""
"""Moved markers of the conversation `asked` that the person may see: their own, and others' where they are shown."""


def markers_sql(asked: str) -> str:
    """Returns the statement of the moved markers in the conversations that `asked` selects."""
    return f"""
    SELECT k.conversation_id::text, k.username, k.user_id::text, {place_sql("delivered")}, {place_sql("read")},
        {place_sql("unread")}, concat_ws(':', k.changed_epoch, k.in_partition, k.changed_offset),
        k.user_id = %(user)s, k.in_partition, k.changed_offset, k.found
    FROM (SELECT asked.in_partition, one.*, count(*) OVER () AS found FROM {asked} CROSS JOIN LATERAL {MOVED} one
          ORDER BY asked.in_partition, one.changed_offset LIMIT {MARKERS_MOST}) k
    ORDER BY k.in_partition, k.changed_offset"""


def marker_of(row: tuple[Any, ...]) -> MarkerState:
    """Returns the marker of a row of `markers_sql`."""
    conversation, user, user_id, delivered, read, unread_from, changed, is_own = row[:8]
    return MarkerState(conversation, user, user_id, delivered, read, changed, unread_from if is_own else UNSET)
