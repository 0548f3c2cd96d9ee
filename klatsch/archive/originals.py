"""Looks up the messages that replies name, many in one statement."""

from collections.abc import Collection
from typing import Final, NamedTuple

from django.db import connection


class Original(NamedTuple):
    """The message that a reply names, and the conversation of the reply."""

    conversation: str
    message_id: str


_ORIGINALS: Final = """
    SELECT m.conversation_id::text, m.id::text, m.deleted
    FROM unnest(%s::uuid[], %s::uuid[]) AS wanted(conversation_id, id)
    JOIN messaging_message m ON m.id = wanted.id AND m.conversation_id = wanted.conversation_id"""


def find_originals(wanted: Collection[Original]) -> dict[Original, bool]:
    """Returns those messages that exist in the conversation of their reply, with whether they are deleted."""
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINALS, [[one.conversation for one in wanted], [one.message_id for one in wanted]])
        return {Original(*row[:2]): row[2] for row in cursor.fetchall()}
