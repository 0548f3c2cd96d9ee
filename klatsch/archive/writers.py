"""Finds the people who have written to a person: whom that person may add to groups (decisions/0037)."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.db import connection

from klatsch.core.ids import direct_conversation_id

MESSAGES_READ: Final = 1_000
"""The messages at each end of a direct conversation that are searched for one of the other person."""

# Both ends, so that neither a long monologue before the first answer nor one after the last hides the answer.
_WRITERS: Final = """
    SELECT pair.person FROM unnest(%(people)s::uuid[], %(conversations)s::uuid[]) AS pair(person, conversation)
    WHERE EXISTS (SELECT FROM (SELECT m.sender_id FROM messaging_message m WHERE m.conversation_id = pair.conversation
                               ORDER BY m.epoch DESC, m."offset" DESC LIMIT %(most)s) newest
                  WHERE newest.sender_id = pair.person)
       OR EXISTS (SELECT FROM (SELECT m.sender_id FROM messaging_message m WHERE m.conversation_id = pair.conversation
                               ORDER BY m.epoch, m."offset" LIMIT %(most)s) oldest
                  WHERE oldest.sender_id = pair.person)"""


def find_writers(*, to: UUID, among: Collection[UUID]) -> set[UUID]:
    """Returns those of some people who have sent a person a direct message that is archived, in one statement.

    Deleted messages count. Of a direct conversation, the first and the last `MESSAGES_READ` messages are read.
    """
    people = list(among)
    if not people:
        return set()
    direct = [direct_conversation_id(to, person) for person in people]
    with connection.cursor() as cursor:
        arguments: dict[str, Any] = {"people": people, "conversations": direct, "most": MESSAGES_READ}
        cursor.execute(_WRITERS, arguments)
        return {row[0] for row in cursor.fetchall()}
