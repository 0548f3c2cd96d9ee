"""Mentions: `@username` in a text names members of its conversation.

`naming_of` finds the names in a text, `find_mentions` asks PostgreSQL for the members of these names, and
`mentions_in_direct` needs no question. An edit is looked at like a new message.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple

from django.db import connection

from klatsch.conversations.access import Access
from klatsch.records.messages import MENTIONS_MOST

_find_names: Final = re.compile(r"(?<![\w@/+-])@([A-Za-z0-9_][A-Za-z0-9_.-]{0,63})(?![\w@])").findall
"""Names as `accounts.texts.USERNAME` allows them, outside words, paths and e-mail addresses."""
_PUNCTUATION: Final = ".-"
"""The end of a sentence, or of a username."""
_SHORTENED_MOST: Final = 3
"""The shortenings of a name that are tried, besides the one without any punctuation at its end."""


class Mention(NamedTuple):
    """A mentioned person."""

    username: str
    user_id: str


class Naming(NamedTuple):
    """The names in a text, which somebody writes into a conversation. `names` are as `named_in` returns them."""

    conversation: str
    author_id: str
    names: tuple[tuple[str, ...], ...]


def named_in(content: str) -> tuple[tuple[str, ...], ...]:
    """Returns the candidates of each name in a text, in lower case: of each name the longest first.

    `@bob.` may name `bob.` or `bob`. The first MENTIONS_MOST different names count, in the order of the text.
    """
    if "@" not in content:
        return ()
    # All in C until only the different names are left: a text may repeat a name a thousand times.
    found = dict.fromkeys(map(str.lower, _find_names(content)))
    return tuple(map(_candidates, islice(found, MENTIONS_MOST)))


def naming_of(content: str, *, conversation: str, author_id: str) -> Naming | None:
    """Returns the question that `find_mentions` answers, or None for a text without names."""
    names = named_in(content)
    return Naming(conversation, author_id, names) if names else None


_MEMBERS: Final = """
    SELECT wanted.conversation_id::text, wanted.name, u.username, u.id::text
    FROM unnest(%s::uuid[], %s::text[]) AS wanted(conversation_id, name)
    JOIN accounts_user u ON lower(u.username) = wanted.name AND u.is_active
    JOIN conversations_member m ON m.conversation_id = wanted.conversation_id AND m.user_id = u.id AND m.active"""


def find_mentions(namings: Collection[Naming]) -> dict[Naming, tuple[Mention, ...]]:
    """Returns the members whom each text mentions, in the order of the text, without its author; in one statement."""
    wanted = {(naming.conversation, name) for naming in namings for names in naming.names for name in names}
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [[one[0] for one in wanted], [one[1] for one in wanted]])
        rows = cursor.fetchall()
    members: dict[str, dict[str, Mention]] = {}
    for conversation, name, *person in rows:
        members.setdefault(conversation, {})[name] = Mention(*person)
    return {one: _choose(one.names, members.get(one.conversation, {}), one.author_id) for one in namings}


def mentions_in_direct(content: str, access: Access) -> tuple[Mention, ...]:
    """Returns the mention of a direct conversation's other person, if the text has it; asks nobody."""
    if access.receiver is None or access.receiver_id is None:
        return ()
    known = {access.receiver.lower(): Mention(access.receiver, access.receiver_id)}
    return _choose(named_in(content), known, access.sender_id)


def find_mentions_of(content: str, access: Access) -> tuple[Mention, ...]:
    """Returns the mentions in a text that is being sent; blocks for one statement if it names people in a group."""
    if access.receiver is not None:
        return mentions_in_direct(content, access)
    naming = naming_of(content, conversation=access.conversation, author_id=access.sender_id)
    return () if naming is None else find_mentions([naming])[naming]


def _candidates(name: str) -> tuple[str, ...]:
    """Returns a name and its shortenings, the longest first."""
    bare = name.rstrip(_PUNCTUATION)
    shortened = [name[:end] for end in range(len(name), max(len(bare), len(name) - _SHORTENED_MOST - 1), -1)]
    return (*shortened, bare)


def _choose(names: Iterable[tuple[str, ...]], members: Mapping[str, Mention], author_id: str) -> tuple[Mention, ...]:
    """Returns the member of each name, once, by the longest candidate that is a member."""
    chosen = (next((members[one] for one in candidates if one in members), None) for candidates in names)
    return tuple(dict.fromkeys(one for one in chosen if one is not None and one.user_id != author_id))
