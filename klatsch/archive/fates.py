"""Reads what became of a record: the archive's progress at its position, and what stands under its own id (D8)."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from klatsch.archive.message_view import MESSAGE_COLUMNS, MESSAGE_WIDTH, MessageView, view_of
from klatsch.eventlog.places import Position
from klatsch.postgres.base import prepared_cursor


@dataclass(frozen=True, slots=True)
class Fate:
    """The archive's state of a position and of an own id, both at one moment.

    `digest` is that of the message or the change that the archive has under the id, as in `SentMessage`, None without
    any; `message` is the message itself. With `next_offset` beyond the position and no `digest`, the record was void
    or, if `is_dead_letter`, refused.
    """

    next_offset: int
    is_dead_letter: bool
    digest: bytes | None
    message: MessageView | None

    @property
    def is_change(self) -> bool:
        """Returns whether the id is that of a change of a message."""
        return self.digest is not None and self.message is None


_FATE: Final = f"""
    SELECT {MESSAGE_COLUMNS},
           coalesce((SELECT next_offset FROM messaging_logoffset
                     WHERE epoch = %(epoch)s AND partition = %(partition)s), 0),
           EXISTS (SELECT FROM messaging_deadletter
                   WHERE epoch = %(epoch)s AND partition = %(partition)s AND "offset" = %(offset)s),
           coalesce(
               m.digest, (SELECT digest || uuid_send(message_id) FROM messaging_change WHERE id = %(id)s)),
           m.id IS NOT NULL
    FROM (SELECT) one LEFT JOIN messaging_message m ON m.id = %(id)s
    LEFT JOIN accounts_user s ON s.id = m.sender_id LEFT JOIN accounts_user r ON r.id = m.receiver_id"""


def find_fate(*, own_id: bytes, position: Position) -> Fate:
    """Returns what became of the record of that own id (16 bytes) at a position, in one statement."""
    with prepared_cursor() as cursor:
        cursor.execute(_FATE, position._asdict() | {"id": UUID(bytes=own_id)})
        row = cursor.fetchone()
    assert row is not None
    next_offset, is_dead_letter, digest, is_message = row[MESSAGE_WIDTH:]
    return Fate(
        next_offset, is_dead_letter, None if digest is None else bytes(digest), view_of(row) if is_message else None
    )
