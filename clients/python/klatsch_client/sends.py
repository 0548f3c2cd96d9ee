"""What is being sent: in order, at most a window at once, until each has its final answer. No I/O."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from klatsch_client import frames
from klatsch_client.errors import Refused
from klatsch_client.events import Draft, Failed, Sent
from klatsch_client.frames import Accepted, Rejected
from klatsch_client.retries import jitter_s

ANSWER_S: Final = 30.0
"""A gateway answers `unknown` after 10 s: one that says nothing for so long is lost."""
_FRAME_BYTES_MOST: Final = 65_536
_FIRST_PAUSE_S: Final = 0.1
_PAUSE_MOST_S: Final = 5.0
_WINDOW_USUAL: Final = 64
_NAME_CHARACTERS: Final = 36


@dataclass(slots=True)
class _Try:
    """How a draft stands: `frame` while it waits for an answer that must come before `due_s`, else due then."""

    number: int
    draft: Draft
    due_s: float = 0.0
    tries: int = 0
    frame: int | None = None


class Sends:
    """The oldest sends without a final answer, `window` of them, are tried; the others wait.

    With a window of 1, a message stands in the log after the one that was sent before it, whatever fails. With more,
    the order is kept but around what had to be tried again.
    """

    def __init__(
        self,
        named: Callable[[int], Draft],
        *,
        window: int | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._named = named
        self._asked = window
        self._window = _WINDOW_USUAL if window is None else window
        self._frame_bytes_most = _FRAME_BYTES_MOST
        self._uniform = uniform
        self._open: dict[int, _Try] = {}
        self._by_frame: dict[int, _Try] = {}
        self._last_frame = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def in_flight(self) -> int:
        """How many wait for an answer."""
        return len(self._by_frame)

    def check(self, draft: Draft) -> None:
        """Raises Refused for what no frame can carry."""
        name = draft.client_id or "x" * _NAME_CHARACTERS
        try:
            size = len(frames.send(2**31, replace(draft, client_id=name)).encode())
        except UnicodeEncodeError as error:
            raise Refused("invalid_content", "The text is not valid Unicode.") from error
        if size > self._frame_bytes_most:
            raise Refused("too_long", f"The frame would be larger than {self._frame_bytes_most} bytes.")

    def add(self, number: int, draft: Draft) -> None:
        """Tries the draft of that number from here on; `named` is asked for it when it is to be written."""
        self._open.setdefault(number, _Try(number, draft))

    def limited(self, unanswered_most: int, frame_bytes_most: int) -> None:
        """What the server takes at most."""
        self._window = unanswered_most if self._asked is None else min(self._asked, unanswered_most)
        self._frame_bytes_most = frame_bytes_most

    def take_due(self, now_s: float) -> list[str]:
        """The frames to write now, in order; they are in flight from here on."""
        taken: list[str] = []
        for one in self._tried():
            if one.frame is None and one.due_s <= now_s:
                self._last_frame += 1
                one.frame, one.due_s = self._last_frame, now_s + ANSWER_S
                self._by_frame[self._last_frame] = one
                one.draft = self._named(one.number)
                taken.append(frames.send(self._last_frame, one.draft))
        return taken

    def next_due_s(self) -> float | None:
        """When to ask again: the next retry, or the next answer's deadline."""
        return min((one.due_s for one in self._tried()), default=None)

    def is_overdue(self, now_s: float) -> bool:
        """Whether an answer has not come in time: then the connection is to be given up."""
        return any(one.due_s <= now_s for one in self._by_frame.values())

    def take_answer(self, answer: Accepted | Rejected, now_s: float) -> Sent | Failed | None:
        """What became of a send, if that is final; what may succeed later is tried again under the same name."""
        one = self._by_frame.pop(answer.re, None) if isinstance(answer.re, int) else None
        if one is None:
            return None
        one.frame = None
        if isinstance(answer, Rejected) and answer.temporary:
            pause_s = jitter_s(one.tries, first_s=_FIRST_PAUSE_S, most_s=_PAUSE_MOST_S, uniform=self._uniform)
            one.tries, one.due_s = one.tries + 1, now_s + (answer.retry_after_s or 0) + pause_s
            return None
        del self._open[one.number]
        if isinstance(answer, Rejected):
            return Failed(one.draft, answer.code, answer.detail)
        return Sent(one.draft, answer.id, answer.position, answer.duplicate)

    def lose_connection(self) -> None:
        """Nobody knows what became of those in flight: they are due again."""
        for one in self._by_frame.values():
            one.frame, one.due_s = None, 0.0
        self._by_frame.clear()

    def _tried(self) -> "islice[_Try]":
        return islice(self._open.values(), self._window)
