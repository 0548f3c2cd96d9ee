"""The events that a client gives to its application, and their parsing from the server's frames and rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from klatsch_client.deltas import Deleted, Edited, Pinned, Reacted
from klatsch_client.drafts import Failed, Sent
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.reading import flag, place_or_none, text, text_or_none, texts, whole


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
    """Members of a conversation whose standing has changed. A member who is not named stays as they are."""

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

    def ends_for(self, user: str) -> bool:
        """Returns True when this person does not belong to the conversation any more."""
        return any(member.user == user and not member.active for member in self.members)


@dataclass(frozen=True, slots=True)
class Marker:
    """A person's marker: the positions in a conversation up to which they have received and read it.

    Of several markers the highest position counts, for each of the two; None leaves it as it is. `unread_from` is one's
    own flag "unread from here". It counts where `tells_flag`: None takes the flag away then, as a higher `read` does.
    `position` is that of the last record in it: an earlier one, told again or later, says nothing about the flag.
    """

    conversation: str
    user: str
    delivered: Position | None
    read: Position | None
    unread_from: Position | None = None
    tells_flag: bool = False
    position: Position | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any], position: Position | None = None) -> "Marker":
        """Reads a push's `d` at its position, or a `state`; raises KeyError, TypeError, ValueError."""
        return cls(
            conversation=text(body, "conversation"),
            user=text(body, "user"),
            delivered=place_or_none(body, "delivered"),
            read=place_or_none(body, "read"),
            unread_from=place_or_none(body, "unread_from"),
            tells_flag="unread_from" in body,
            position=position or place_or_none(body, "changed"),
        )


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation of one's own to a group, new or ended. Of two with one `id`, the higher `version` counts."""

    id: str
    conversation: str
    title: str
    invited_by: str
    state: str
    expires_at: str
    version: int

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Invitation":
        """Reads a push's `d`; raises KeyError, TypeError."""
        return cls(
            id=text(body, "id"),
            conversation=text(body, "conversation"),
            title=text(body, "title"),
            invited_by=text(body, "invited_by"),
            state=text(body, "state"),
            expires_at=text(body, "expires_at"),
            version=whole(body, "version"),
        )


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
    """Somebody is writing (`on`), or not any more; nothing durable. It ends by itself after 8 s."""

    conversation: str
    user: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class Presence:
    """The presence of watched people, not durable. `whole` means all of them; otherwise only what has changed."""

    online: tuple[str, ...]
    offline: tuple[str, ...]
    whole: bool = False

    @classmethod
    def parse(cls, body: Mapping[str, Any], *, whole: bool) -> "Presence":
        """Reads a push's `d` or the answer to `presence`; raises KeyError, TypeError."""
        return cls(texts(body["online"], "online"), texts(body["offline"], "offline"), whole)


Event = (
    Message
    | Changed
    | Edited
    | Deleted
    | Reacted
    | Pinned
    | Members
    | Marker
    | Invitation
    | Reset
    | Typing
    | Presence
    | Sent
    | Failed
)
