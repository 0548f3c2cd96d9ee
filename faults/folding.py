"""A message with its changes, as the clients of a run and the checker fold them, each by protocol.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faults.history import hash_of

EDITED, DELETED, REACTION, PINNED = "message_edited", "message_deleted", "reaction", "pinned"
CHANGES = (EDITED, DELETED, REACTION, PINNED)


@dataclass(frozen=True, slots=True)
class State:
    """A message's state as a client shows it. `reactions` are pairs of emoji and username."""

    hash: str
    deleted: bool = False
    pinned: bool = False
    reactions: frozenset[tuple[str, str]] = frozenset()

    def text(self) -> str:
        """Returns a text that is equal for equal states."""
        return json.dumps([self.hash, self.deleted, self.pinned, sorted(self.reactions)])

    def after(self, what: str, body: str) -> "State":
        """Returns the message after a change."""
        if what == EDITED:
            return State(body, self.deleted, self.pinned, self.reactions)
        if what == DELETED:
            return State(hash_of(""), deleted=True)
        if what == PINNED:
            return State(self.hash, self.deleted, body == "on", self.reactions)
        name, emoji, on = body.split(" ")
        one = {(emoji, name)}
        return State(self.hash, self.deleted, self.pinned, self.reactions | one if on == "on" else self.reactions - one)


def state_of(message: Mapping[str, Any]) -> State:
    """Returns the state of a whole message, as states and histories have it."""
    pairs = frozenset((emoji, name) for emoji, names in message["reactions"].items() for name in names)
    return State(hash_of(message["content"]), message["deleted"], message["pinned_at"] is not None, pairs)


def body_of(what: str, change: Mapping[str, Any]) -> str:
    """Returns in a word what a change says, from its push or record."""
    if what == EDITED:
        return str(change["hash"]) if "hash" in change else hash_of(change["content"])
    if what == DELETED:
        return ""
    on = "on" if change["on"] else "off"
    return on if what == PINNED else f"{change['user']} {change['emoji']} {on}"
