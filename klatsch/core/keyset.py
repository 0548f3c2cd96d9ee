"""Keyset pages: a page holds the rows after or before a key, in the order of the key's columns. No I/O.

A list declares its columns, its direction and its statement once. The statement is a function of the way through the
list. The way gives it the order and the condition, so that the list reads in both directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Cursor(Protocol):
    """A cursor of Django or psycopg."""

    def execute(self, query: str, params: Mapping[str, Any], /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class Way:
    """One direction through a list, for its statement. `table` is the prefix of the columns where one is needed."""

    columns: Sequence[str]
    descending: bool
    has_key: bool

    def order(self, table: str = "") -> str:
        """Returns the ORDER BY that yields the rows nearest to the key first."""
        direction = "DESC" if self.descending else "ASC"
        return "ORDER BY " + ", ".join(f"{table}{column} {direction}" for column in self.columns)

    def beyond(self, table: str = "") -> str:
        """Returns the condition that a row lies beyond the key; always true without a key."""
        if not self.has_key:
            return "true"
        columns = ", ".join(table + column for column in self.columns)
        values = ", ".join(f"%(key_{place})s" for place in range(len(self.columns)))
        return f"({columns}) {'<' if self.descending else '>'} ({values})"


class Keyset:
    """Reads a list's pages. `columns` are unique together; `statement` selects `%(limit)s` rows in a way's order."""

    def __init__(self, columns: Sequence[str], statement: Callable[[Way], str], *, newest_first: bool = False) -> None:
        self._first = statement(Way(columns, newest_first, has_key=False))
        self._after = statement(Way(columns, newest_first, has_key=True))
        self._before = statement(Way(columns, not newest_first, has_key=True))

    def read(
        self,
        cursor: Cursor,
        arguments: Mapping[str, Any],
        *,
        limit: int,
        after: Sequence[Any] | None = None,
        before: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Returns at most `limit` rows in the list's order: the first rows, or those after or before a key."""
        key = {f"key_{place}": value for place, value in enumerate(after or before or ())}
        statement = self._before if before else self._after if after else self._first
        cursor.execute(statement, {**arguments, **key, "limit": limit})
        rows = cursor.fetchall()
        return rows[::-1] if before else rows
