"""The record of what the application has been told already, so that it is told nothing twice. No I/O."""

from collections.abc import Mapping
from typing import Any

from klatsch_client.deltas import Delta
from klatsch_client.events import Changed, Invitation, Marker, Members
from klatsch_client.messages import Message
from klatsch_client.positions import Position, Token

Latest = Marker | Invitation


class Known:
    """Tells what is new, and remembers it.

    A replay begins at the token of a resume mark, so what lies before the furthest mark that was taken (`covered`)
    needs no memory of its own. Of what lies behind it:

    - Pushes behind a mark come in the log's order, and histories are loaded in theirs. One position for each
      conversation (`floors`) says: all up to here was told, however much that is.
    - What comes in no promised order is remembered by id, with the position of its last change (`ids`). That is what is
      replayed before its mark, one's own messages that an `ok` told of, and messages of a history that were changed
      after they were written. The next mark covers it, and it is forgotten. A server replays a bounded number of
      changes before it resets, and `posting.TOLD_MOST` bounds one's own.

    A gateway may be behind another one: its marks then lie before `covered`, which never goes back. Only where the
    server has gone back to an earlier epoch, nothing is known any more.
    """

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        data = data or {}
        covered = data.get("covered")
        self.covered: Token | None = None if covered is None else Token.parse(covered)
        self.floors = {name: Position.parse(text) for name, text in data.get("floors", {}).items()}
        self.ids = {name: Position.parse(text) for name, text in data.get("ids", {}).items()}

    def to_data(self) -> dict[str, Any]:
        """Returns the constructor's arguments as values that JSON can hold."""
        return {
            "covered": None if self.covered is None else str(self.covered),
            "floors": {name: str(position) for name, position in self.floors.items()},
            "ids": {name: str(position) for name, position in self.ids.items()},
        }

    def covers(self, conversation: str, position: Position) -> bool:
        """Returns True when the application has been told all of the conversation up to this position."""
        if self.covered is not None and self.covered.covers(position):
            return True
        floor = self.floors.get(conversation)
        return floor is not None and position <= floor

    def take_message(self, message: Message, *, in_order: bool) -> Message | Changed | None:
        """Returns the event that is new in a push or a `state`, or None. `in_order` means a push after a mark."""
        event = self._judge(message)
        if event is not None:
            self._note(message.id, message.conversation, message.changed, in_order=in_order)
        return event

    def take_delta(self, delta: Delta, *, in_order: bool) -> Delta | None:
        """Returns the change of a message if it is new: the message may have been told with the change applied."""
        told = self.ids.get(delta.id)
        if self.covers(delta.conversation, delta.position) if told is None else delta.position <= told:
            return None
        self._note(delta.id, delta.conversation, delta.position, in_order=in_order)
        return delta

    def take_latest(self, what: Latest, position: Position | None, *, in_order: bool) -> Latest | None:
        """Returns a marker or an invitation if it may be new. None is remembered by name: a repetition does no harm."""
        if position is None:
            return what
        if not isinstance(what, Marker):  # which may lie in another partition than its conversation
            return None if self.covered is not None and self.covered.covers(position) else what
        if self.covers(what.conversation, position):
            return None
        if in_order:
            self._raise_floor(what.conversation, position)
        return what

    def take_members(self, members: Members, position: Position | None, *, in_order: bool) -> Members | None:
        """Returns the change if it is new. A `state` has no position and is told again: versions make that harmless."""
        if position is None:
            return members
        name = f"members:{position}"
        if name in self.ids or self.covers(members.conversation, position):
            return None
        self._note(name, members.conversation, position, in_order=in_order)
        return members

    def take_row(self, message: Message, at_least: Token) -> Message | Changed | None:
        """Returns the event that is new in a history's row, or None.

        The history is loaded oldest first and is complete up to `at_least`.
        """
        event = self._judge(message)
        if at_least.covers(message.position):
            self._raise_floor(message.conversation, message.position)
        if event is not None and not self.covers(message.conversation, message.changed):
            self.ids[message.id] = message.changed
        return event

    def add_own(self, message_id: str, position: Position) -> None:
        """Notes a message of the person's own that was told by its answer."""
        if (self.covered is None or not self.covered.covers(position)) and message_id not in self.ids:
            self.ids[message_id] = position

    def take_resume_mark(self, token: Token) -> None:
        """Notes that everything before the token was told, and forgets what it covers."""
        self.begin_epoch(token)
        covered = self.covered = (
            token if self.covered is None or self.covered.epoch < token.epoch else (self.covered.joined(token))
        )
        self.floors = {name: floor for name, floor in self.floors.items() if not covered.covers(floor)}
        self.ids = {name: position for name, position in self.ids.items() if not covered.covers(position)}

    def begin_epoch(self, token: Token) -> None:
        """Forgets everything where the server has gone back to an epoch before the known one."""
        if self.covered is not None and token.epoch < self.covered.epoch:
            self.covered = None
            self.floors.clear()
            self.ids.clear()

    def _judge(self, message: Message) -> Message | Changed | None:
        told = self.ids.get(message.id)
        if told is not None:
            return Changed(message) if message.changed > told else None
        if not self.covers(message.conversation, message.position):
            return message
        return None if self.covers(message.conversation, message.changed) else Changed(message)

    def _note(self, name: str, conversation: str, position: Position, *, in_order: bool) -> None:
        if in_order:
            self._raise_floor(conversation, position)
        if not in_order or name in self.ids:
            self.ids[name] = position

    def _raise_floor(self, conversation: str, position: Position) -> None:
        if not self.covers(conversation, position):
            self.floors[conversation] = position
