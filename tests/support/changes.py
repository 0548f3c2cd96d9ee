"""Changes of messages as the product makes them: edits, deletions, reactions and pins."""

from uuid import UUID

from klatsch.archive.targets import Facts
from klatsch.eventlog.log import Entry
from klatsch.messaging.changing import Delete, Edit, Pin, React, Wish, make_change
from klatsch.messaging.mentions import Mention
from klatsch.records.messages import MessagePosted
from tests.support.records import NOW_MS, Somebody, fresh_client_id


def facts_of(
    original: MessagePosted,
    by: Somebody,
    *,
    role: str = "member",
    pinned: bool = False,
    own_emojis: tuple[str, ...] = (),
    kind: str = "group",
    member_count: int = 2,
) -> Facts:
    """Returns the archive's facts of a message, for a person who wants to change it."""
    return Facts(
        message_id=original.id,
        user_id=by.user_id,
        username=by.name,
        role=role,
        blocked=False,
        conversation=original.conversation,
        kind=kind,
        sender_id=original.sender_id,
        sent_at_ms=NOW_MS,
        position="1:0:0",
        deleted=False,
        edited=None,
        pinned=pinned,
        pins=0,
        emojis=[],
        own_emojis=list(own_emojis),
        unannounced=False,
        member_count=member_count,
    )


def change(wish: Wish, facts: Facts, *, client_id: str | None = None, at_ms: int = NOW_MS) -> Entry:
    """Returns the entry of a change, checked at that time."""
    _, entry = make_change(
        facts=facts, wish=wish, client_id=client_id or fresh_client_id(), epoch=1, checked_at_ms=at_ms, now_ms=at_ms
    )
    return entry


def edited(
    original: MessagePosted,
    content: str,
    by: Somebody | None = None,
    *,
    base: str | None = None,
    client_id: str | None = None,
    at_ms: int = NOW_MS,
    mentions: tuple[Somebody, ...] = (),
) -> Entry:
    """Returns the entry of an edit, by the author or by another person, who may not."""
    named = tuple(Mention(one.name, one.user_id) for one in mentions)
    facts = facts_of(original, by or author_of(original))
    return change(Edit(content, base, named), facts, client_id=client_id, at_ms=at_ms)


def deleted(original: MessagePosted, by: Somebody | None = None, *, client_id: str | None = None) -> Entry:
    """Returns the entry of a deletion: by an admin, if not by the author."""
    return change(Delete(), facts_of(original, by or author_of(original), role="admin"), client_id=client_id)


def reacted(
    original: MessagePosted,
    emoji: str,
    by: Somebody,
    *,
    on: bool = True,
    was_on: bool | None = None,
    client_id: str | None = None,
) -> Entry:
    """Returns the entry of a reaction, which by default was the other way before."""
    there = (not on) if was_on is None else was_on
    facts = facts_of(original, by, own_emojis=(emoji,) if there else ())
    return change(React(emoji, on), facts, client_id=client_id)


def pinned(
    original: MessagePosted,
    by: Somebody,
    *,
    on: bool = True,
    was_on: bool | None = None,
    client_id: str | None = None,
) -> Entry:
    """Returns the entry of a pin by an admin."""
    there = (not on) if was_on is None else was_on
    return change(Pin(on), facts_of(original, by, role="admin", pinned=there), client_id=client_id)


def author_of(original: MessagePosted) -> Somebody:
    return Somebody(UUID(original.sender_id), original.sender)
