"""What a client tells its application, and the server's frames and rows read as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from klatsch_client.positions import Position
from klatsch_client.reading import flag, text, text_or_none, texts, whole, whole_or_none


@dataclass(frozen=True, slots=True)
class Message:
    """What a person wrote, as it is at `changed`. `receiver` is None in groups, `seq` before it is archived."""

    id: str
    client_id: str
    conversation: str
    sender: str
    receiver: str | None
    content: str
    sent_at: str
    position: Position
    changed: Position
    seq: int | None
    edited_at: str | None
    deleted: bool
    reply_to: str | None
    reactions: Mapping[str, list[str]]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Message":
        """Reads a push's `d` or a row of a history; raises KeyError, TypeError, ValueError, AttributeError."""
        position = Position.parse(text(body, "position"))
        return cls(
            id=text(body, "id"),
            client_id=text(body, "client_id"),
            conversation=text(body, "conversation"),
            sender=text(body, "sender"),
            receiver=text_or_none(body, "receiver"),
            content=text(body, "content"),
            sent_at=text(body, "sent_at"),
            position=position,
            changed=Position.parse(text(body, "changed")) if "changed" in body else position,
            seq=whole_or_none(body, "seq"),
            edited_at=text_or_none(body, "edited_at"),
            deleted=flag(body, "deleted") if "deleted" in body else False,
            reply_to=text_or_none(body, "reply_to"),
            reactions={
                emoji: list(texts(users, "reactions")) for emoji, users in (body.get("reactions") or {}).items()
            },
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """A message from before is different now: `message` is the whole of it."""

    message: Message


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody's standing in a conversation. Of two, the one with the higher version counts."""

    user: str
    active: bool
    role: str | None
    version: int


@dataclass(frozen=True, slots=True)
class Members:
    """Those whose standing in a conversation has changed; who is not named stays as they are."""

    conversation: str
    kind: str | None
    title: str | None
    members: tuple[Member, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Members":
        """Reads a push's `d`; raises KeyError, TypeError, AttributeError."""
        members = tuple(
            Member(text(m, "user"), flag(m, "active"), text_or_none(m, "role"), whole(m, "version"))
            for m in body["members"]
        )
        return cls(text(body, "conversation"), text_or_none(body, "kind"), text_or_none(body, "title"), members)


@dataclass(frozen=True, slots=True)
class Reset:
    """The stream could not be proven whole in these conversations.

    With `reloading`, what was missed of their messages follows as events. Without, the application is to load their
    histories with `at_least`. Who belongs to them is in both cases the application's to ask for again.
    """

    conversations: tuple[str, ...]
    why: str
    at_least: str
    reloading: bool = False


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is writing; nothing durable."""

    conversation: str
    user: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A message of one's own that has no final answer yet, to a person or in a conversation.

    `client_id` is empty until the message is first written or saved.
    """

    client_id: str
    content: str
    to: str | None = None
    conversation: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of one's own that stands in the log, for good; with `duplicate` it stood there before this try."""

    draft: Draft
    id: str
    position: Position
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A message of one's own that was refused for good, where no `send` waits for that any more."""

    draft: Draft
    code: str
    detail: str


Event = Message | Changed | Members | Reset | Typing | Sent | Failed
