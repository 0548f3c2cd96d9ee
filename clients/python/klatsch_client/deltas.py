"""Changes of one message, each of which says only what changes. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from klatsch_client.drafts import Change
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.reading import flag, text, texts

_MENTION: Final = re.compile(r"(?<![\w@])@(\w[\w.-]*)")


@dataclass(frozen=True, slots=True)
class Edited:
    """A message has another text. Like each of these, it counts where its `position` is above the message's `changed`.

    Of one's own edit that is pending or a duplicate, `mentions` and `edited_at` are this client's guess.
    """

    id: str
    conversation: str
    position: Position
    content: str
    mentions: tuple[str, ...]
    edited_at: str
    by: str

    def apply(self, message: Message) -> Message:
        """Returns the message with this change."""
        if message.deleted:
            return replace(message, changed=self.position)
        return replace(
            message, content=self.content, mentions=self.mentions, edited_at=self.edited_at, changed=self.position
        )


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message is deleted, for good: only its place is left."""

    id: str
    conversation: str
    position: Position
    by: str
    deleted_at: str

    def apply(self, message: Message) -> Message:
        """Returns the message with this change."""
        return message.deleted_at(self.position)


@dataclass(frozen=True, slots=True)
class Reacted:
    """A person has reacted to a message (`on`), or taken that back."""

    id: str
    conversation: str
    position: Position
    emoji: str
    on: bool
    user: str

    def apply(self, message: Message) -> Message:
        """Returns the message with this change."""
        if message.deleted:
            return replace(message, changed=self.position)
        return message.reacted(self.emoji, self.user, on=self.on, position=self.position)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A message is pinned in its conversation (`on`), or not any more."""

    id: str
    conversation: str
    position: Position
    on: bool
    by: str
    at: str

    def apply(self, message: Message) -> Message:
        """Returns the message with this change. A message that is pinned already keeps the time of its pin."""
        pinned_at = message.pinned_at or self.at if self.on and not message.deleted else None
        return replace(message, pinned_at=pinned_at, changed=self.position)


Delta = Edited | Deleted | Reacted | Pinned
KINDS: Final = frozenset({"message_edited", "message_deleted", "reaction", "pinned"})
"""The `t` of their pushes."""


def read(kind: str, body: Mapping[str, Any], position: Position) -> Delta:
    """Reads a push's `d`; raises KeyError, TypeError."""
    message = (text(body, "id"), text(body, "conversation"), position)
    match kind:
        case "message_edited":
            mentions = texts(body["mentions"], "mentions")
            return Edited(*message, text(body, "content"), mentions, text(body, "edited_at"), text(body, "by"))
        case "message_deleted":
            return Deleted(*message, text(body, "by"), text(body, "deleted_at"))
        case "reaction":
            return Reacted(*message, text(body, "emoji"), flag(body, "on"), text(body, "user"))
        case _:
            return Pinned(*message, flag(body, "on"), text(body, "by"), text(body, "at"))


def of_own(
    change: Change, position: Position, *, user: str, now: str, mentions: tuple[str, ...] | None = None
) -> Delta:
    """Returns one's own change as it would be pushed: the connection that makes it gets an answer instead.

    Without `mentions` they are guessed.
    """
    message = (change.message, change.conversation, position)
    match change.op:
        case "edit":
            content = change.content or ""
            return Edited(*message, content, guess_mentions(content) if mentions is None else mentions, now, user)
        case "delete":
            return Deleted(*message, user, now)
        case "react":
            return Reacted(*message, change.emoji or "", bool(change.on), user)
        case "pin":
            return Pinned(*message, bool(change.on), user, now)


def guess_mentions(content: str) -> tuple[str, ...]:
    """Returns the usernames that a text seems to mention. Only the server knows who of them is a member."""
    return tuple(dict.fromkeys(name.rstrip(".-") for name in _MENTION.findall(content)))
