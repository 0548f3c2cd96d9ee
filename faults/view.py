"""A client's messages: pushes, states, answers and loaded histories, applied as protocol.md says."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.folding import State, body_of, state_of
from faults.history import hash_of, place
from faults.sends import Change, Send

_RECENT = 8
Place = tuple[int, int, int]


@dataclass(slots=True)
class Shown:
    """A message as the client has it. `changed` is the position of its last known change."""

    conversation: str
    sender: str
    position: str
    changed: str
    state: State


@dataclass(slots=True)
class View:
    """All messages of a client. `recent` are the newest. While a conversation is `loading`, pushes are kept for it."""

    name: str
    messages: dict[str, Shown] = field(default_factory=dict)
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=_RECENT))
    loading: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def insert(self, message: Mapping[str, Any]) -> None:
        """Takes the push of a new message."""
        shown = Shown(
            message["conversation"], message["sender"], message["position"], message["position"],
            State(hash_of(message["content"])),
        )  # fmt: skip
        self._add(message["id"], shown)

    def answered(self, send: Send, ok: Mapping[str, Any]) -> None:
        """Takes the answer to one's own message or change."""
        if not isinstance(send, Change):
            self._add(ok["id"], Shown(send.conversation, self.name, ok["position"], ok["position"], State(send.hash)))
            return
        shown = self.messages.get(send.target)
        if shown is not None and place(ok["position"]) > place(shown.changed):
            shown.state = shown.state.after(send.what, send.body)
            if not ok["duplicate"]:
                shown.changed = ok["position"]

    def apply(self, push: Mapping[str, Any]) -> None:
        """Takes the push of a change."""
        body = push["d"]
        shown = self.messages.get(body["id"])
        if shown is None:
            if body["conversation"] in self.loading:
                self.loading[body["conversation"]].append(push)
        elif place(push["pos"]) > place(shown.changed):
            shown.state = shown.state.after(push["t"], body_of(push["t"], body))
            shown.changed = push["pos"]

    def take(self, message: Mapping[str, Any]) -> None:
        """Takes a whole message."""
        known = self.messages.get(message["id"])
        if known is None or place(known.changed) < place(message["changed"]):
            self.messages[message["id"]] = Shown(
                message["conversation"], message["sender"], message["position"], message["changed"], state_of(message)
            )
            if known is None:
                self.recent.append(message["id"])

    def load(self, conversation: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Takes a loaded history. Of a conversation that was reset, what it does not have is not known any more."""
        for message in reversed(messages):
            self.take(message)
        pushes = self.loading.pop(conversation, None)
        if pushes is None:
            return
        there = {message["id"] for message in messages}
        oldest = min((place(message["position"]) for message in messages), default=None)
        for key in [k for k, shown in self.messages.items() if shown.conversation == conversation and k not in there]:
            if oldest is None or place(self.messages[key].position) < oldest:
                del self.messages[key]
        for push in pushes:
            self.apply(push)

    def texts(self) -> dict[str, dict[str, str]]:
        """Returns the state of each message, by conversation and id."""
        told: dict[str, dict[str, str]] = {}
        for key, shown in self.messages.items():
            told.setdefault(shown.conversation, {})[key] = shown.state.text()
        return told

    def _add(self, message_id: str, shown: Shown) -> None:
        if message_id not in self.messages:
            self.messages[message_id] = shown
            self.recent.append(message_id)
