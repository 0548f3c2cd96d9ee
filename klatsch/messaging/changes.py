"""What the archive says has changed since a place in the log: the part of a replay that gateways no longer hold (D7).

As current state, to be upserted: a message that was written and edited since is one row.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper

from klatsch.messaging.queries import MESSAGE_COLUMNS, MESSAGE_WIDTH, PEOPLE, MessageView, view_of


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A conversation, and from where (inclusive) to where (exclusive) in its partition something may be missing.

    Of one that the person has `left`, only their own standing is told.
    """

    conversation: str
    partition: int
    since: int
    until: int
    left: bool = False


class MemberState(msgspec.Struct, frozen=True):
    """One person's standing now, in the shape of a membership record's."""

    user: str
    user_id: str
    active: bool
    role: str
    version: int


@dataclass(slots=True)
class Changes:
    """What was found, by conversation. `offsets` is how far the archive was, by partition, before all else was read.

    Of the conversations in `too_many` more has changed than was asked for, and nothing is told.
    """

    offsets: dict[int, int]
    messages: dict[str, list[MessageView]] = field(default_factory=dict)
    members: dict[str, list[MemberState]] = field(default_factory=dict)
    too_many: set[str] = field(default_factory=set)


_OFFSETS: Final = "SELECT partition, next_offset FROM messaging_logoffset WHERE epoch = %s"

# New ones by the index of positions, changed ones by the partial index of those that were ever changed.
_MESSAGES: Final = f"""
    SELECT {MESSAGE_COLUMNS}, asked.place
    FROM unnest(%(conversations)s::uuid[], %(since)s::bigint[], %(until)s::bigint[]) WITH ORDINALITY
        AS asked(conversation_id, since, until, place)
    CROSS JOIN LATERAL (
        (SELECT * FROM messaging_message new
         WHERE new.conversation_id = asked.conversation_id
           AND (new.epoch, new."offset") >= (%(epoch)s, asked.since)
           AND (new.epoch, new."offset") < (%(epoch)s, asked.until)
         ORDER BY new.epoch, new."offset" LIMIT %(each)s)
        UNION ALL
        (SELECT * FROM messaging_message old
         WHERE old.conversation_id = asked.conversation_id
           AND (old.changed_offset <> old."offset" OR old.changed_epoch <> old.epoch)
           AND (old.changed_epoch, old.changed_offset) >= (%(epoch)s, asked.since)
           AND (old.epoch, old."offset") < (%(epoch)s, asked.since)
         ORDER BY old.changed_epoch, old.changed_offset LIMIT %(each)s)) m
    {PEOPLE}
    ORDER BY asked.place LIMIT %(most)s"""

_MEMBERS: Final = """
    SELECT mine.conversation_id::text, u.username, u.id::text, mine.active, mine.role, mine.version
    FROM unnest(%(conversations)s::uuid[], %(since)s::bigint[], %(own)s::bool[]) AS asked(conversation_id, since, own)
    CROSS JOIN LATERAL (
        SELECT DISTINCT changed.user_id FROM messaging_membershipinterval changed
        WHERE changed.conversation_id = asked.conversation_id AND changed.epoch = %(epoch)s
          AND changed."offset" >= asked.since AND (NOT asked.own OR changed.user_id = %(user)s)) someone
    JOIN conversations_member mine
      ON mine.conversation_id = asked.conversation_id AND mine.user_id = someone.user_id
    JOIN accounts_user u ON u.id = mine.user_id
    ORDER BY 1, 2"""


def read_changes(*, user_id: UUID, epoch: int, asked: Sequence[Asked], each_most: int, most: int) -> Changes:
    """All that has changed in those conversations: at most `each_most` messages of one and `most` of all.

    The offsets are read first: whatever stands before them is in what is read afterwards.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OFFSETS, [epoch])
        changes = Changes(dict(cursor.fetchall()))
        _read_messages(cursor, epoch, [one for one in asked if not one.left], changes, each_most=each_most, most=most)
        _read_members(cursor, epoch, asked, changes, user_id)
    return changes


def _read_messages(
    cursor: CursorWrapper, epoch: int, asked: Sequence[Asked], changes: Changes, *, each_most: int, most: int
) -> None:
    arguments: dict[str, Any] = {
        "conversations": [one.conversation for one in asked],
        "since": [one.since for one in asked],
        "until": [min(one.until, changes.offsets.get(one.partition, 0)) for one in asked],
        "epoch": epoch,
        "each": each_most + 1,
        "most": most + 1,
    }
    cursor.execute(_MESSAGES, arguments)
    rows = cursor.fetchall()
    for row in rows:
        view = view_of(row)
        changes.messages.setdefault(view.conversation, []).append(view)
    changes.too_many |= {name for name, found in changes.messages.items() if len(found) > each_most}
    if len(rows) > most:  # the last one may be cut short, and what comes after it was not read
        changes.too_many |= {one.conversation for one in asked[rows[-1][MESSAGE_WIDTH] - 1 :]}
    for name in changes.too_many:
        changes.messages.pop(name, None)


def _read_members(cursor: CursorWrapper, epoch: int, asked: Sequence[Asked], changes: Changes, user_id: UUID) -> None:
    arguments: dict[str, Any] = {
        "conversations": [one.conversation for one in asked],
        "since": [one.since for one in asked],
        "own": [one.left for one in asked],
        "epoch": epoch,
        "user": user_id,
    }
    cursor.execute(_MEMBERS, arguments)
    for conversation, *standing in cursor.fetchall():
        changes.members.setdefault(conversation, []).append(MemberState(*standing))
