"""Read marks that the server has answered, and that are sent again after a lost connection. No I/O."""

from typing import Final

from klatsch_client.drafts import Marking
from klatsch_client.events import Marker, Members, Reset
from klatsch_client.frames import PushBody

REPEAT_S: Final = 60.0
"""A server may lose a mark that it has answered, if it ends before it has written it: younger ones are sent again."""


class Repeats:
    """The last answered read mark of each conversation, until it is too old or overtaken.

    It is repeated behind the replay of the next connection, since what has overtaken it may be in there. A saved state
    is without it: after a restart it could come before that.
    """

    def __init__(self) -> None:
        self._answered: dict[str, tuple[Marking, float]] = {}
        self._held: dict[str, Marking] = {}

    def answered(self, marking: Marking, now_s: float) -> None:
        """Notes a mark that the server has."""
        self._answered[marking.conversation] = marking, now_s

    def lose_connection(self, now_s: float) -> None:
        """Holds what was answered a moment ago, until `take`."""
        young = [marking for marking, at_s in self._answered.values() if now_s - at_s <= REPEAT_S]
        self._held |= {marking.conversation: marking for marking in young}
        self._answered.clear()

    def take(self) -> list[Marking]:
        """Returns the marks to send again, once all that was missed has come."""
        held = list(self._held.values())
        self._held.clear()
        return held

    def see(self, what: PushBody, user: str) -> None:
        """Forgets the mark that a push has overtaken.

        It would take the person's flag "unread from here" away, be refused in a conversation that they have left, or,
        after a reset, overrule a flag that no push has told.
        """
        match what:
            case Marker(conversation=conversation, unread_from=flag) if flag is not None:
                self._forget(conversation)
            case Members(conversation=conversation) if what.ends_for(user):
                self._forget(conversation)
            case Reset(conversations=conversations):
                for conversation in conversations:
                    self._forget(conversation)

    def _forget(self, conversation: str) -> None:
        self._answered.pop(conversation, None)
        self._held.pop(conversation, None)
