"""Finds which of some people a person shares a conversation with."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from klatsch.accounts.queries import is_username

# LATERAL stops at the first conversation that is shared. People who have blocked the viewer are left out.
_SHARED = """
    SELECT asked.number, asked.name, u.id::text, u.username, shared.conversation_id::text
    FROM unnest(%s::int[], %s::uuid[], %s::text[]) asked(number, viewer, name)
    JOIN accounts_user u ON lower(u.username) = asked.name COLLATE "C"
    CROSS JOIN LATERAL (
        SELECT mine.conversation_id
        FROM conversations_member mine
        JOIN conversations_member theirs ON theirs.conversation_id = mine.conversation_id
        WHERE mine.user_id = asked.viewer AND mine.active AND theirs.user_id = u.id AND theirs.active
        LIMIT 1) shared
    WHERE NOT EXISTS (SELECT FROM conversations_member blocked
                      WHERE blocked.blocked_by_id = u.id AND blocked.user_id = asked.viewer)"""

_PAIRS_AT_ONCE = 500
"""The people and names of one statement. While its rows become Python objects, a gateway's event loop waits."""


class NamesAsked(NamedTuple):
    """A person, and the lower-cased names that they ask about."""

    viewer: UUID
    names: tuple[str, ...]


class Acquaintance(NamedTuple):
    """A person who shares at least that conversation; `name` is the name that was asked about."""

    name: str
    user_id: str
    username: str
    conversation: str


def find_acquaintances(asked: Collection[NamesAsked]) -> Mapping[NamesAsked, list[Acquaintance]]:
    """Returns, for many people together, those of the names whose bearers share a conversation with them."""
    found: dict[NamesAsked, list[Acquaintance]] = {one: [] for one in asked}
    ordered = list(found)
    pairs = ((number, name) for number, one in enumerate(ordered) for name in one.names if is_username(name))
    while some := list(islice(pairs, _PAIRS_AT_ONCE)):
        numbers, names = (list(column) for column in zip(*some, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_SHARED, [numbers, [ordered[number].viewer for number in numbers], names])
            for number, *acquaintance in cursor.fetchall():
                found[ordered[number]].append(Acquaintance(*acquaintance))
    return found
