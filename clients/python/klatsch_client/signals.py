"""A client's signals, which are not stored: open conversations, watched people and typing. No I/O."""

from collections.abc import Iterable
from typing import Any, Final

from klatsch_client import frames
from klatsch_client.frames import OPEN, PRESENCE, Rejected, Shown

TYPING_EVERY_S: Final = 3.0
"""The shortest time between two signals of ongoing typing in one conversation."""
TYPING_S: Final = 8.0
"""The time for which a person counts as typing after their last signal."""
_PAUSE_S: Final = 1.0
_NEVER: Final = float("inf")


class Signals:
    """`open` and `presence` hold for a connection, and are said again on the next one. Typing is over then.

    What no frame can carry raises at once: it would end the writing of whatever else is due.
    """

    def __init__(self) -> None:
        self._opened: list[str] = []
        self._frames: dict[str, str] = {}
        self._due_s: dict[str, float] = {}
        self._typing: dict[str, str] = {}
        self._typed_s: dict[str, float] = {}

    def open(self, conversations: Iterable[str]) -> None:
        """Opens these conversations from now on, and no others."""
        opened = list(conversations)
        self._want(OPEN, {"conversations": opened})
        self._opened = opened

    def leave(self, conversation: str) -> None:
        """Opens the others alone: the server refuses all of them for one to which the person does not belong."""
        if conversation in self._opened:
            self.open(name for name in self._opened if name != conversation)

    def watch(self, users: Iterable[str]) -> None:
        """Watches the presence of these people from now on, and of no others."""
        self._want(PRESENCE, {"users": list(users)})

    def type(self, conversation: str, now_s: float, *, on: bool) -> None:
        """Signals that the person is typing there, or has stopped."""
        if on and now_s < self._typed_s.get(conversation, 0.0):
            return
        frame = frames.typing(conversation, on=on)
        self._typed_s = {name: due_s for name, due_s in self._typed_s.items() if due_s > now_s and name != conversation}
        if on:
            self._typed_s[conversation] = now_s + TYPING_EVERY_S
        self._typing[conversation] = frame

    def take_due(self, now_s: float) -> list[str]:
        """Returns the frames to write now."""
        due = [op for op, due_s in self._due_s.items() if due_s <= now_s]
        for op in due:
            self._due_s[op] = _NEVER
        typing = list(self._typing.values())
        self._typing.clear()
        return [self._frames[op] for op in due] + typing

    def next_due_s(self) -> float:
        """Returns the time at which a request is next due; infinity when none is."""
        return min(self._due_s.values(), default=_NEVER)

    def take_answer(self, answer: Shown | Rejected, now_s: float) -> Rejected | None:
        """Returns the answer if it is a refusal for good. What may succeed later is asked for again."""
        if not isinstance(answer, Rejected):
            return None
        if answer.temporary:
            self._due_s[str(answer.re)] = now_s + (answer.retry_after_s or _PAUSE_S)
            return None
        return answer

    def lose_connection(self) -> None:
        """Makes all that holds for one connection due again on the next one, and forgets typing."""
        self._due_s = dict.fromkeys(self._frames, 0.0)
        self._typing.clear()
        self._typed_s.clear()

    def _want(self, op: str, body: dict[str, Any]) -> None:
        self._frames[op] = frames.request(op, op, body)
        self._due_s[op] = 0.0
