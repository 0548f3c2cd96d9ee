"""The sending of drafts: in order, at most a window at once, until each has its final answer. No I/O."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from klatsch_client import frames
from klatsch_client.drafts import Change, Done, Draft, Failed, Marked, Marking, Outcome, Sent, Unsent
from klatsch_client.errors import Refused
from klatsch_client.frames import Accepted, MarkedUpTo, Rejected
from klatsch_client.retries import jitter_s

ANSWER_S: Final = 30.0
"""A gateway answers `unknown` after 10 s: one that says nothing for so long is lost."""
MARK_EVERY_S: Final = 1.0
"""Marks of one conversation are not written more often; the server keeps the last one of a second anyway."""
_FRAME_BYTES_MOST: Final = 65_536
_FIRST_PAUSE_S: Final = 0.1
_PAUSE_MOST_S: Final = 5.0
_WINDOW_USUAL: Final = 64
_NAME_CHARACTERS: Final = 36


@dataclass(slots=True)
class _Try:
    """A draft's attempt. With `frame` it waits for an answer until `due_s`; without, it is due at `due_s`."""

    number: int
    draft: Unsent
    due_s: float = 0.0
    tries: int = 0
    frame: int | None = None


class Sends:
    """The oldest sends, changes and marks without a final answer, `window` of them, are tried; the others wait.

    With a window of 1, a message stands in the log after the one that was sent before it, whatever fails. With more,
    the order is kept but around what had to be tried again. Changes of one message wait for each other in any case: the
    last one wins, and so must not be overtaken. So do marks of one conversation.
    """

    def __init__(
        self,
        named: Callable[[int], Unsent],
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
        self._rests_until_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def in_flight(self) -> int:
        """Returns the number of drafts that wait for an answer."""
        return len(self._by_frame)

    def has(self, number: int) -> bool:
        """Returns True while the draft with this number has no final answer."""
        return number in self._open

    def is_in_flight(self, number: int) -> bool:
        """Returns True while the draft with this number waits for an answer."""
        one = self._open.get(number)
        return one is not None and one.frame is not None

    def check(self, draft: Unsent) -> None:
        """Raises Refused for what no frame can carry, and TypeError for what JSON has not."""
        if not isinstance(draft, Marking):
            draft = replace(draft, client_id=draft.client_id or "x" * _NAME_CHARACTERS)
        try:
            size = len(frames.write(2**31, draft).encode())
        except UnicodeEncodeError as error:
            raise Refused("invalid_content", "The text is not valid Unicode.") from error
        if size > self._frame_bytes_most:
            raise Refused("too_long", f"The frame would be larger than {self._frame_bytes_most} bytes.")

    def add(self, number: int, draft: Unsent) -> None:
        """Tries the draft of that number from here on; `named` is asked for it when it is to be written."""
        due_s = self._rests_until_s.get(draft.client_id, 0.0) if isinstance(draft, Marking) else 0.0
        self._open.setdefault(number, _Try(number, draft, due_s))

    def limited(self, unanswered_most: int, frame_bytes_most: int) -> None:
        """Applies the server's limits. The window is the smaller of the server's and the application's."""
        self._window = unanswered_most if self._asked is None else min(self._asked, unanswered_most)
        self._frame_bytes_most = frame_bytes_most

    def take_due(self, now_s: float) -> list[str]:
        """Returns the frames to write now, in order; they are in flight from then on."""
        taken: list[str] = []
        for one in self._tried(now_s):
            if one.frame is None and one.due_s <= now_s:
                self._last_frame += 1
                one.frame, one.due_s = self._last_frame, now_s + ANSWER_S
                self._by_frame[self._last_frame] = one
                one.draft = self._named(one.number)
                taken.append(frames.write(self._last_frame, one.draft))
        return taken

    def next_due_s(self, now_s: float) -> float | None:
        """Returns the time of the next retry or of the next answer's deadline, or None."""
        return min((one.due_s for one in self._tried(now_s)), default=None)

    def is_overdue(self, now_s: float) -> bool:
        """Returns True when an answer has missed its deadline: the caller then closes the connection."""
        return any(one.due_s <= now_s for one in self._by_frame.values())

    def take_answer(self, answer: Accepted | MarkedUpTo | Rejected, now_s: float) -> tuple[int, Outcome] | None:
        """Returns the number and the outcome of an answered draft, if final; else tries it again under its name."""
        one = self._by_frame.get(answer.re) if isinstance(answer.re, int) else None
        if one is None or (outcome := _outcome(one.draft, answer)) is None:
            return None
        self._by_frame.pop(one.frame or 0)
        one.frame = None
        if isinstance(answer, Rejected) and answer.temporary:
            pause_s = jitter_s(one.tries, first_s=_FIRST_PAUSE_S, most_s=_PAUSE_MOST_S, uniform=self._uniform)
            one.tries, one.due_s = one.tries + 1, now_s + (answer.retry_after_s or 0) + pause_s
            return None
        del self._open[one.number]
        if isinstance(outcome, Marked):
            self._rest(outcome.draft, now_s)
        return one.number, outcome

    def _rest(self, marking: Marking, now_s: float) -> None:
        """Lets a conversation's next mark wait."""
        self._rests_until_s = {name: due_s for name, due_s in self._rests_until_s.items() if due_s > now_s}
        self._rests_until_s[marking.client_id] = now_s + MARK_EVERY_S
        for one in self._open.values():
            if one.draft.target == marking.target:
                one.due_s = now_s + MARK_EVERY_S

    def lose_connection(self) -> None:
        """Makes the drafts in flight due again: nobody knows what became of them."""
        for one in self._by_frame.values():
            one.frame, one.due_s = None, 0.0
        self._by_frame.clear()

    def _tried(self, now_s: float) -> Iterator[_Try]:
        """Yields the oldest drafts, without those that wait for an older one of their target.

        A mark that rests takes no place in the window.
        """
        targets: set[str] = set()
        places = self._window
        for one in self._open.values():
            if not places:
                return
            if not isinstance(one.draft, Marking) or one.frame is not None or one.due_s <= now_s:
                places -= 1
            target = one.draft.target
            if target is None or target not in targets:
                yield one
            if target is not None:
                targets.add(target)


def _outcome(draft: Unsent, answer: Accepted | MarkedUpTo | Rejected) -> Outcome | None:
    """Returns the outcome of a draft by its answer, or None when the answer does not fit the draft."""
    match draft, answer:
        case _, Rejected():
            return Failed(draft, answer.code, answer.detail, answer.changed)
        case Draft(), Accepted():
            mentions = None if answer.duplicate else answer.mentions or ()
            return Sent(draft, answer.id, answer.position, answer.duplicate, mentions)
        case Change(), Accepted():
            return Done(draft, answer.position, answer.duplicate, answer.mentions, answer.at)
        case Marking(), MarkedUpTo():
            return Marked(draft, answer.delivered, answer.read)
        case _:
            return None
