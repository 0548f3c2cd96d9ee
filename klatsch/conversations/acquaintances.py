"""Finds which of some people a person shares a conversation with."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection

from klatsch.accounts.queries import is_username

_LOOKED_AT_MOST: Final = 200
"""The conversations of either person, the latest joined ones, that are looked for among the other's, about 2 µs each.

Where both have more, a conversation that is none of these goes unnoticed: all of them took PostgreSQL seconds.
"""


def _shared(one: str, other: str) -> str:
    """Returns the statement of the conversations among one person's latest that another one is in."""
    return f"""
        SELECT latest.conversation_id
        FROM (SELECT conversation_id FROM conversations_member WHERE user_id = {one} AND active
              ORDER BY joined_at DESC LIMIT {_LOOKED_AT_MOST}) latest
        CROSS JOIN LATERAL (  -- a look into the index of pairs for each: no index of active members is used inside
            SELECT active FROM conversations_member
            WHERE conversation_id = latest.conversation_id AND user_id = {other} LIMIT 1) found
        WHERE found.active"""


# LATERAL stops at the first conversation that is shared. People who have blocked the viewer are left out.
_SHARED: Final = f"""
    SELECT asked.number, asked.name, u.id::text, u.username, shared.conversation_id::text
    FROM unnest(%s::int[], %s::uuid[], %s::text[]) asked(number, viewer, name)
    JOIN accounts_user u ON lower(u.username) = asked.name COLLATE "C"
    CROSS JOIN LATERAL (
        ({_shared("u.id", "asked.viewer")})
        UNION ALL
        ({_shared("asked.viewer", "u.id")}
         AND EXISTS (SELECT FROM conversations_member WHERE user_id = u.id AND active OFFSET {_LOOKED_AT_MOST}))
        LIMIT 1) shared
    WHERE NOT EXISTS (SELECT FROM conversations_member blocked
                      WHERE blocked.blocked_by_id = u.id AND blocked.user_id = asked.viewer)"""

_PAIRS_AT_ONCE: Final = 500
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
