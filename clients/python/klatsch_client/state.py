"""The state that survives a restart: the application's progress, and its sends without an answer yet. No I/O."""

import json
from collections.abc import Mapping
from typing import Any, Final

from klatsch_client.deltas import Deleted, Delta, Edited, Pinned, Reacted
from klatsch_client.drafts import Outcome, Sent, from_data, to_data
from klatsch_client.errors import Stopped
from klatsch_client.events import Changed, Invitation, Marker, Members, Presence, Reset, Typing
from klatsch_client.frames import Push, ResumeMark
from klatsch_client.known import Known
from klatsch_client.messages import Message
from klatsch_client.positions import Token
from klatsch_client.unfinished import Unfinished

_VERSION: Final = 1


class State:
    """The application's progress: each event counts from the moment in which it is handed over.

    So call `to_json` where everything that was handed over has been handled: in the loop's body, before it asks for the
    next event. Written together with what the event did (in one transaction, say), it makes each event count exactly
    once. Written after it, a crash between the two gives the last event again. The same holds for `send`: once it has
    returned, the state counts its message as told.

    Restored and connected again, it yields exactly what was missed, and finishes what was being sent, under the same
    names. A state belongs to one person and to one client at a time.
    """

    def __init__(self) -> None:
        self.user: str | None = None
        self.token: str | None = None
        self.known = Known()
        self.unfinished = Unfinished()

    def to_json(self) -> str:
        """Returns the state for `from_json`. Its length grows with what happened since the last resume mark.

        What was never written gets its name now at the latest, and keeps it.
        """
        unfinished = [to_data(draft) for draft in self.unfinished.all_named()]
        data = {"v": _VERSION, "user": self.user, "token": self.token, **self.known.to_data(), "unfinished": unfinished}
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "State":
        """Restores the state from the result of `to_json`; raises ValueError for anything else."""
        try:
            data = json.loads(text)
            version = data["v"]
            state = cls._from_data(data)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"This is no saved state: {error}") from error
        if version != _VERSION:
            raise ValueError(f"This is a saved state of version {version}, not {_VERSION}.")
        return state

    @classmethod
    def _from_data(cls, data: Mapping[str, Any]) -> "State":
        state = cls()
        state.user, state.token = data["user"], data["token"]
        state.known = Known(data)
        state.unfinished = Unfinished(map(from_data, data["unfinished"]))
        return state

    def belongs_to(self, user: str) -> None:
        """Notes the person of the state; raises Stopped when it is another person's."""
        if self.user not in {None, user}:
            raise Stopped(f"this state is {self.user}'s, and the token is {user}'s")
        self.user = user

    def take(
        self, push: Push, *, in_order: bool
    ) -> Message | Changed | Delta | Members | Marker | Invitation | Reset | Typing | Presence | None:
        """Returns the event that is new in a push, or None. `in_order` means a push after its connection's mark.

        A resume mark moves the token only here: everything that came before it has been handed over by now.
        """
        what = push.what
        match what:
            case Message():
                return self.known.take_message(what, in_order=in_order and push.position is not None)
            case Edited() | Deleted() | Reacted() | Pinned():
                return self.known.take_delta(what, in_order=in_order)
            case Marker() | Invitation():
                return self.known.take_latest(what, push.position, in_order=in_order)
            case Members():
                return self.known.take_members(what, push.position, in_order=in_order)
            case ResumeMark():
                self.token = what.token
                self.known.take_resume_mark(Token.parse(what.token))
                return None
            case Reset():
                self.known.begin_epoch(Token.parse(what.at_least))
        return what

    def finish(self, number: int, outcome: Outcome) -> bool:
        """Notes that the application has a draft's final answer; returns False when that was known."""
        if not self.unfinished.finish(number):
            return False
        if isinstance(outcome, Sent):
            self.known.add_own(outcome.id, outcome.position)
        return True
