"""Loading histories anew after a `reset`: which page is next, and what is new in it. No I/O."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from klatsch_client.events import Changed, Reset
from klatsch_client.known import Known
from klatsch_client.messages import Message
from klatsch_client.positions import Token
from klatsch_client.reading import text_or_none

_ROWS = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page of a conversation's history: newest first, or, with a cursor of `previous`, back up."""

    conversation: str
    query: str


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[Message]
    next: str | None
    previous: str | None


class Reload:
    """Goes down each history until all of what is known and `older_most` more is passed, then up again.

    So events come oldest first, and one page is held at a time, however much was missed. Messages from before the known
    part's end were told; only a change of theirs is news, and that is looked for in the `older_most` newest of them.
    """

    def __init__(self, known: Known, reset: Reset, *, older_most: int) -> None:
        self._known = known
        self._older_most = older_most
        self._at_least_text = reset.at_least
        self._at_least = Token.parse(reset.at_least)
        self._left = deque(reset.conversations)
        self._rows: list[Message] = []
        self._up: str | None = None
        self._down: str | None = None
        self._older = 0
        self._bottom: _Page | None = None

    def next_event(self) -> Message | Changed | None:
        """Returns the next event of the loaded pages, None when they have no more."""
        while self._rows:
            event = self._known.take_row(self._rows.pop(), self._at_least)
            if event is not None:
                return event
        return None

    def next_request(self) -> PageRequest | None:
        """Returns the page to load next, when there is no event left; None at the end of all."""
        if self._down is None and self._up is None:
            if not self._left:
                return None
            self._down = urlencode({"limit": _ROWS, "at_least": self._at_least_text})
            self._older, self._bottom = 0, None
        return PageRequest(self._left[0], self._down or self._up or "")

    def take_page(self, body: Mapping[str, Any] | None) -> int:
        """Takes the page of `next_request`; None if there is no such history, or not for this person any more.

        Returns how many of its rows cannot be read, and are left out. Raises KeyError, TypeError for no page at all.
        """
        if body is None:
            self._finish()
            return 0
        rows = [row for row in map(_row, _list(body["results"])) if row is not None]
        page = _Page(rows, _query(text_or_none(body, "next")), _query(text_or_none(body, "previous")))
        self._take(page)
        return len(body["results"]) - len(rows)

    def _take(self, page: _Page) -> None:
        if self._down is None:
            self._begin(page)
            return
        self._older += sum(self._known.covers(row.conversation, row.position) for row in page.rows)
        bottom = page if page.rows or self._bottom is None else self._bottom
        self._bottom = bottom
        if page.next is not None and self._older <= self._older_most:
            self._down = page.next
        else:
            self._down = None
            self._begin(bottom)

    def _begin(self, page: _Page) -> None:
        """Begins with this page, and continues upwards."""
        self._rows, self._up = page.rows, page.previous
        if self._up is None:
            self._finish()

    def _finish(self) -> None:
        """Notes that this conversation has no further page."""
        self._left.popleft()
        self._down = self._up = None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("results is no list")
    return value


def _row(row: Any) -> Message | None:
    try:
        return Message.read(row)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _query(address: str | None) -> str | None:
    """Returns the query of a neighbour's address: all else in it is known, and may differ behind a proxy."""
    return None if address is None else urlsplit(address).query
