"""A person's messages, changes and marks before the server's final answer, and the answers' outcomes. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from klatsch_client.positions import Position


@dataclass(frozen=True, slots=True)
class Draft:
    """A message of the person's own that has no final answer yet, to a person or in a conversation.

    `client_id` is empty until the message is first written or saved.
    """

    client_id: str
    content: str
    to: str | None = None
    conversation: str | None = None
    reply_to: str | None = None

    @property
    def target(self) -> str | None:
        """Returns None: messages need not be written one after the other. Drafts with the same target must be."""
        return None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a message that has no final answer yet: `position` is the message's, None of what it does not need.

    `base` is the `changed` that the editor saw. `conversation` is empty where it is not known.
    """

    client_id: str
    op: Literal["edit", "delete", "react", "pin"]
    message: str
    position: Position
    conversation: str
    content: str | None = None
    base: Position | None = None
    emoji: str | None = None
    on: bool | None = None

    @property
    def target(self) -> str | None:
        """Returns the message's id: a retried change must not come after a later one of the same message."""
        return self.message


@dataclass(frozen=True, slots=True)
class Marking:
    """A person's own marker of a conversation, until the server has confirmed it."""

    conversation: str
    delivered: Position | None = None
    read: Position | None = None

    @property
    def client_id(self) -> str:
        """Returns a name that all marks of the conversation share. No message has it, and no frame."""
        return f"mark {self.conversation}"

    @property
    def target(self) -> str | None:
        return self.client_id

    def joined(self, other: "Marking") -> "Marking":
        """Returns a marking with the higher one of each position."""
        return Marking(self.conversation, highest(self.delivered, other.delivered), highest(self.read, other.read))


Unsent = Draft | Change | Marking


def highest(one: Position | None, other: Position | None) -> Position | None:
    """Returns the higher position; None says nothing."""
    return max((place for place in (one, other) if place is not None), default=None)


_PLACES: Final = {"position", "base", "delivered", "read"}


def to_data(draft: Unsent) -> dict[str, Any]:
    """Returns it as JSON holds it: without what is None, and with positions as text."""
    values = {one.name: getattr(draft, one.name) for one in fields(draft)}
    return {name: str(value) if name in _PLACES else value for name, value in values.items() if value is not None}


def from_data(data: Mapping[str, Any]) -> Unsent:
    """Reads what `to_data` gave; raises TypeError, ValueError."""
    kind = Change if "op" in data else Draft if "content" in data else Marking
    places = {name: Position.parse(data[name]) for name in _PLACES & data.keys()}
    return kind(**{**data, **places})


@dataclass(frozen=True, slots=True)
class Sent:
    """The person's own message that is in the log, for good; with `duplicate` it was there before this try.

    With `duplicate`, `mentions` is None: only the message tells.
    """

    draft: Draft
    id: str
    position: Position
    duplicate: bool
    mentions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The person's own change that is in the log, for good; with `duplicate` it was there before this try.

    `mentions` of an edit and the server's time `at` are None with `duplicate`: only the message tells.
    """

    draft: Change
    position: Position
    duplicate: bool
    mentions: tuple[str, ...] | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Marked:
    """The person's marker after `mark`, as the server has it."""

    draft: Marking
    delivered: Position | None
    read: Position | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A message, change or mark of the person's own that was refused for good, and for which no caller waits.

    `changed` is the position of the edit that a refused edit had not seen.
    """

    draft: Unsent
    code: str
    detail: str
    changed: Position | None = None


Outcome = Sent | Done | Marked | Failed
