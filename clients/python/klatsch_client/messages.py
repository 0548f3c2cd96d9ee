"""A message as it is, and as a change leaves it. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from klatsch_client.drafts import Change
from klatsch_client.positions import Position
from klatsch_client.reading import counts, flag, text, text_or_none, texts, whole_or_none

_NAMES_MOST: Final = 50
"""The most usernames of one kind of reaction that the server lists."""


@dataclass(frozen=True, slots=True)
class ReplyPreview:
    """The message that a reply names: `content` is the beginning of its text, empty once deleted."""

    id: str
    sender: str
    content: str
    deleted: bool

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "ReplyPreview":
        """Reads it; raises KeyError, TypeError."""
        return cls(text(body, "id"), text(body, "sender"), text(body, "content"), flag(body, "deleted"))


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stood at `changed`. `receiver` is None in groups, `seq` before it is archived.

    `reactions` has usernames by emoji, in the order of time and 50 at most, and `reaction_counts` how many there are.
    Of a deleted message only its place is left. `pending` is not the server's: the changes of one's own that a `View`
    shows and that have no final answer yet.
    """

    id: str
    client_id: str
    conversation: str
    sender: str
    receiver: str | None
    content: str
    sent_at: str
    position: Position
    changed: Position
    seq: int | None = None
    edited_at: str | None = None
    deleted: bool = False
    reply_to: str | None = None
    reactions: Mapping[str, list[str]] = field(default_factory=dict)
    reaction_counts: Mapping[str, int] = field(default_factory=dict)
    mentions: tuple[str, ...] = ()
    pinned_at: str | None = None
    reply_preview: ReplyPreview | None = None
    pending: tuple[Change, ...] = ()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Message":
        """Reads a push's `d` or a row of a history; raises KeyError, TypeError, ValueError, AttributeError."""
        position = Position.parse(text(body, "position"))
        names = {emoji: list(texts(users, "reactions")) for emoji, users in (body.get("reactions") or {}).items()}
        preview = body.get("reply_preview")
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
            reactions=names,
            reaction_counts={emoji: len(users) for emoji, users in names.items()} | counts(body, "reaction_counts"),
            mentions=texts(body["mentions"], "mentions") if body.get("mentions") is not None else (),
            pinned_at=text_or_none(body, "pinned_at"),
            reply_preview=None if preview is None else ReplyPreview.read(preview),
        )

    def deleted_at(self, position: Position) -> "Message":
        """Returns what is left of it once it is deleted."""
        return replace(
            self,
            content="",
            mentions=(),
            reactions={},
            reaction_counts={},
            pinned_at=None,
            deleted=True,
            changed=position,
        )

    def reacted(self, emoji: str, user: str, *, on: bool, position: Position) -> "Message":
        """Returns it with a reaction more or less; with the same ones where that person's is there, or is not."""
        names = self.reactions.get(emoji, [])
        count = self.reaction_counts.get(emoji, len(names))
        if on and user not in names:
            names, count = [*names, user][: max(_NAMES_MOST, len(names))], count + 1
        elif not on and (user in names or count > len(names)):  # of those beyond the listed ones, the name is not known
            names, count = [name for name in names if name != user], count - 1
        reactions = {kind: users for kind, users in self.reactions.items() if kind != emoji}
        totals = {kind: total for kind, total in self.reaction_counts.items() if kind != emoji}
        if count > 0:
            reactions, totals = {**self.reactions, emoji: names}, {**self.reaction_counts, emoji: count}
        return replace(self, reactions=reactions, reaction_counts=totals, changed=position)
