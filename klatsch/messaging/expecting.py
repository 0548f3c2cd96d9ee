"""expect_view: a changed message as the archive will have it, for the answer while the archive is behind (D8)."""

from typing import Any, Final

import msgspec

from klatsch.archive.message_view import NAMES_MOST, Counts, MessageView, Reactions
from klatsch.archive.targets import Facts
from klatsch.messaging.changing import Delete, Edit, Pin, Wish

_NOTHING: Final = msgspec.Raw(b"{}")
_NOBODY: Final = msgspec.Raw(b"[]")


def expect_view(message: MessageView, wish: Wish, facts: Facts, *, position: str, now: str) -> MessageView:
    """Returns the message as it will be if the change at that position counts.

    `facts` are those that the change was checked against. A reaction or a pin that is there already changes nothing.
    """
    changes = _changes(message, wish, facts, now)
    return msgspec.structs.replace(message, **changes, changed=position) if changes else message


def _changes(message: MessageView, wish: Wish, facts: Facts, now: str) -> dict[str, Any]:
    if isinstance(wish, Edit):
        names = msgspec.Raw(msgspec.json.encode([one.username for one in wish.mentions]))
        return {"content": wish.content, "mentions": names, "edited_at": now}
    if isinstance(wish, Delete):
        return {
            "content": "",
            "deleted": True,
            "mentions": _NOBODY,
            "reactions": _NOTHING,
            "reaction_counts": _NOTHING,
            "pinned_at": None,
        }
    if isinstance(wish, Pin):
        return {} if wish.on == facts.pinned else {"pinned_at": now if wish.on else None}
    if wish.on == (wish.emoji in facts.own_emojis):
        return {}
    return _react(message, wish.emoji, facts.username, on=wish.on)


def _react(message: MessageView, emoji: str, username: str, *, on: bool) -> dict[str, Any]:
    """Returns the reactions with one more of that person, or one less."""
    reactions = msgspec.json.decode(message.reactions, type=Reactions)
    counts = msgspec.json.decode(message.reaction_counts, type=Counts)
    others = [name for name in reactions.pop(emoji, []) if name != username]
    count = counts.pop(emoji, 0) + (1 if on else -1)
    if count > 0:
        counts[emoji] = count
        reactions[emoji] = [*others, username][:NAMES_MOST] if on else others
    return {
        "reactions": msgspec.Raw(msgspec.json.encode(reactions)),
        "reaction_counts": msgspec.Raw(msgspec.json.encode(counts)),
    }
