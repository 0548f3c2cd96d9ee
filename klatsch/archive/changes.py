"""Reads what has changed since a place in the log: the part of a replay that gateways no longer hold (D7).

Changes are current state, to be upserted: a message that was written and edited since is one row. They are read in
pages, in the order of partitions and offsets, so that a replay holds one page and may end after any page.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from klatsch.archive.marker_changes import MOVED, MarkerState, marker_of, markers_sql
from klatsch.archive.message_view import MESSAGE_COLUMNS, PEOPLE, MessageView, view_of
from klatsch.records.invitations import Invitation

PAGE_BYTES: Final = 131_072
"""The approximate size of a page's messages: more than a socket takes at once, so that few reads suffice."""
_ROW_BYTES: Final = 600
"""The size of a message besides its text."""
_ROWS_MOST: Final = PAGE_BYTES // _ROW_BYTES + 2
"""More rows than a page ever holds: left-out rows show that there are more."""
_STANDINGS_MOST: Final = 500
"""The most memberships in a page. Those of one record stay together; a record names at most a group's members."""


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A conversation with the range of its partition, from inclusive to exclusive, where a client may miss something.

    Of a conversation that the person has `left`, only their own membership is told.
    """

    conversation: str
    partition: int
    since: int
    until: int
    left: bool = False


class MemberState(msgspec.Struct, frozen=True):
    """A person's current membership, in the shape of a membership record."""

    user: str
    user_id: str
    active: bool
    role: str
    version: int
    blocked: bool = False


class GroupState(msgspec.Struct, frozen=True):
    """A conversation's own present fields, named as in a membership record."""

    title: str
    description: str
    member_count: int
    version: int


@dataclass(slots=True)
class Found:
    """The found changes. `offsets` is the archive's progress by partition, read before everything else.

    `asked` are the conversations with changes, as far as the archive has them complete. `counts` holds their numbers
    of messages. Of the conversations in `too_many`, more has changed than the limit, and nothing is told. `invitations`
    are those of the person, as they are now; the caller adds them.
    """

    offsets: dict[int, int]
    asked: list[Asked] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    too_many: set[str] = field(default_factory=set)
    invitations: list[Invitation] = field(default_factory=list)


class Place(NamedTuple):
    """The place of a change: a partition, and an offset in it."""

    partition: int
    offset: int


@dataclass(slots=True)
class ChangesPage:
    """Some of the found changes, complete up to `reached`; None means that nothing is left.

    `members` and `groups` are by conversation; of one that the person has left there is no group.
    """

    messages: list[MessageView] = field(default_factory=list)
    members: dict[str, list[MemberState]] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    markers: list[MarkerState] = field(default_factory=list)
    reached: Place | None = None


_OFFSETS: Final = "SELECT partition, next_offset FROM messaging_logoffset WHERE epoch = %s"
# A message is told as it is now, with changes from beyond the range. A removal may lie there as well: then the person,
# whom the gateway still takes for a member, may not see what came after it. OFFSET 0 keeps this to one look for each.
_ASKED: Final = """
    (SELECT conversation_id, in_partition, since, begin, until, place::int, own OR NOT EXISTS (
         SELECT FROM conversations_member mine
         WHERE mine.conversation_id = given.conversation_id AND mine.user_id = %(user)s AND mine.active) AS own
     FROM unnest(%(conversations)s::uuid[], %(partitions)s::smallint[], %(since)s::bigint[], %(begin)s::bigint[],
         %(until)s::bigint[], %(own)s::bool[]) WITH ORDINALITY
         AS given(conversation_id, in_partition, since, begin, until, own, place)
     OFFSET 0) asked"""

# New messages are found by the index of positions, changed ones by the partial index of changed messages. A message
# that was written since is told at its own place, as it is now; an older message at the place of its last change.
_NEW: Final = """
    FROM messaging_message new
    WHERE new.conversation_id = asked.conversation_id
      AND (new.epoch, new."offset") >= (%(epoch)s, asked.begin)
      AND (new.epoch, new."offset") < (%(epoch)s, asked.until)
    ORDER BY new.epoch, new."offset" LIMIT %(rows)s"""
_CHANGED: Final = """
    FROM messaging_message old
    WHERE old.conversation_id = asked.conversation_id
      AND (old.changed_offset <> old."offset" OR old.changed_epoch <> old.epoch)
      AND (old.changed_epoch, old.changed_offset) >= (%(epoch)s, asked.begin)
      AND (old.epoch, old."offset") < (%(epoch)s, asked.since)
    ORDER BY old.changed_epoch, old.changed_offset LIMIT %(rows)s"""

_COUNT: Final = f"""
    SELECT asked.place
    FROM {_ASKED}
    CROSS JOIN LATERAL ((SELECT 1 {_NEW}) UNION ALL (SELECT 1 {_CHANGED})) m
    WHERE NOT asked.own ORDER BY 1 LIMIT %(most)s"""

_MESSAGES: Final = f"""
    SELECT {MESSAGE_COLUMNS}, m.in_partition, m.at_offset, m.found
    FROM (
        SELECT item.*, count(*) OVER () AS found,
            sum(octet_length(item.content) + {_ROW_BYTES}) OVER (ORDER BY item.in_partition, item.at_offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM (
            SELECT asked.in_partition, one.*
            FROM {_ASKED}
            CROSS JOIN LATERAL (
                (SELECT new."offset" AS at_offset, new.* {_NEW})
                UNION ALL
                (SELECT old.changed_offset AS at_offset, old.* {_CHANGED})) one
            WHERE NOT asked.own ORDER BY asked.in_partition, one.at_offset LIMIT %(rows)s) item) m
    {PEOPLE}
    WHERE coalesce(m.bytes_before, 0) < {PAGE_BYTES}
    ORDER BY m.in_partition, m.at_offset"""

_INTERVALS: Final = """
    messaging_membershipinterval changed
    WHERE changed.conversation_id = asked.conversation_id AND changed.epoch = %(epoch)s
      AND changed."offset" >= asked.begin AND changed."offset" < asked.until
      AND (NOT asked.own OR changed.user_id = %(user)s)"""

_WITH_STANDINGS: Final = f"""
    SELECT asked.place FROM {_ASKED}
    WHERE EXISTS (SELECT FROM {_INTERVALS}) OR EXISTS (SELECT FROM {MOVED} moved)"""
_MARKERS: Final = markers_sql(_ASKED)

# A membership is told where it first changed: before all messages of that person since.
_MEMBERS: Final = f"""
    SELECT someone.conversation_id::text, u.username, u.id::text, mine.active, mine.role, mine.version,
        mine.blocked_by_id IS NOT NULL, c.title, c.description, c.member_count, c.version,
        someone.in_partition, someone.at_offset, someone.found
    FROM (
        SELECT asked.conversation_id, asked.in_partition, one.user_id, min(one."offset") AS at_offset,
            bool_or(asked.own) AS own, count(*) OVER () AS found
        FROM {_ASKED} CROSS JOIN LATERAL (SELECT * FROM {_INTERVALS}) one
        GROUP BY 1, 2, 3 ORDER BY 2, 4 FETCH FIRST {_STANDINGS_MOST} ROWS WITH TIES) someone
    LEFT JOIN (conversations_member mine JOIN accounts_user u ON u.id = mine.user_id)
      ON mine.conversation_id = someone.conversation_id AND mine.user_id = someone.user_id
    LEFT JOIN conversations_conversation c ON c.id = someone.conversation_id AND NOT someone.own
    ORDER BY someone.in_partition, someone.at_offset, 1, 2"""


def find_changes(*, user_id: UUID, epoch: int, asked: Sequence[Asked], each_most: int, most: int) -> Found:
    """Returns the changes in those conversations: at most `each_most` messages of one, and `most` of all.

    The offsets are read first, so that everything before them is in what is read afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OFFSETS, [epoch])
        found = Found(dict(cursor.fetchall()))
        whole = [
            msgspec.structs.replace(one, until=min(one.until, found.offsets.get(one.partition, 0))) for one in asked
        ]
        arguments = _arguments(whole, user_id, epoch) | {"rows": each_most + 1, "most": most + 1}
        cursor.execute(_COUNT, arguments)
        places = [place for (place,) in cursor.fetchall()]
        cursor.execute(_WITH_STANDINGS, arguments)
        standings = {place for (place,) in cursor.fetchall()}
    counts = Counter(places)
    too_many = {place for place, count in counts.items() if count > each_most}
    if len(places) > most:  # the last may be incomplete, and later ones were not counted
        too_many |= set(range(places[-1], len(whole) + 1))
    for place, one in enumerate(whole, 1):
        if place in too_many and not one.left:
            found.too_many.add(one.conversation)
        elif place in counts or place in standings:
            found.asked.append(one)
            found.counts[one.conversation] = counts[place]
    return found


def read_page(*, user_id: UUID, epoch: int, asked: Sequence[Asked], after: Place) -> ChangesPage:
    """Returns the next page of changes in those conversations: about `PAGE_BYTES` of what lies after that place."""
    page = ChangesPage()
    arguments = _arguments(asked, user_id, epoch, after) | {"rows": _ROWS_MOST}
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, arguments)
        standings = cursor.fetchall()
        cursor.execute(_MESSAGES, arguments)
        messages = cursor.fetchall()
        cursor.execute(_MARKERS, arguments)
        markers = cursor.fetchall()
    ends = [end for rows in (standings, messages, markers) if (end := _end_of(rows)) is not None]
    page.reached = min(ends, default=None)
    for row in standings:
        if row[1] is not None and _is_told(row, page.reached):
            page.members.setdefault(row[0], []).append(MemberState(*row[1:7]))
            if row[7] is not None:
                page.groups[row[0]] = GroupState(*row[7:11])
    page.messages = [view_of(row) for row in messages if _is_told(row, page.reached)]
    page.markers = [marker_of(row) for row in markers if _is_told(row, page.reached)]
    return page


def _end_of(rows: Sequence[Any]) -> Place | None:
    """Returns the place of the last row if more rows were found; else None."""
    return Place(*rows[-1][-3:-1]) if rows and rows[-1][-1] > len(rows) else None


def _is_told(row: Sequence[Any], reached: Place | None) -> bool:
    return reached is None or Place(*row[-3:-1]) <= reached


def _arguments(asked: Sequence[Asked], user_id: UUID, epoch: int, after: Place | None = None) -> dict[str, Any]:
    """Returns the statement's arguments, without partitions before that place, which are already complete."""
    after = after or Place(-1, -1)
    left = [one for one in asked if one.partition >= after.partition]
    begins = [max(one.since, after.offset + 1) if one.partition == after.partition else one.since for one in left]
    return {
        "conversations": [one.conversation for one in left],
        "partitions": [one.partition for one in left],
        "since": [one.since for one in left],
        "begin": begins,
        "until": [one.until for one in left],
        "own": [one.left for one in left],
        "epoch": epoch,
        "user": user_id,
        "shown_most": settings.ENV["KLATSCH_READ_RECEIPTS_MEMBERS"],
    }
