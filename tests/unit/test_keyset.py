"""A list's statement is built for either way from its columns and their direction."""

from collections.abc import Mapping
from typing import Any

import pytest

from klatsch.core.keyset import Keyset

NEWEST_FIRST = Keyset(
    ("time", '"id"'),
    lambda way: f"WHERE {way.beyond('m.')} {way.order()} LIMIT %(limit)s",
    newest_first=True,
)
BY_NAME = Keyset(("name",), lambda way: f"WHERE {way.beyond()} {way.order('u.')} LIMIT %(limit)s")


class Database:
    """Answers each statement with the rows 1, 2, 3, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def execute(self, query: str, params: Mapping[str, Any]) -> None:
        self.asked.append((query, params))

    def fetchall(self) -> list[Any]:
        return [1, 2, 3]


@pytest.mark.parametrize(
    ("keyset", "place", "statement", "rows"),
    [
        (NEWEST_FIRST, {}, 'WHERE true ORDER BY time DESC, "id" DESC LIMIT %(limit)s', [1, 2, 3]),
        (
            NEWEST_FIRST,
            {"after": (7, "a")},
            'WHERE (m.time, m."id") < (%(key_0)s, %(key_1)s) ORDER BY time DESC, "id" DESC LIMIT %(limit)s',
            [1, 2, 3],
        ),
        (
            NEWEST_FIRST,
            {"before": (7, "a")},
            'WHERE (m.time, m."id") > (%(key_0)s, %(key_1)s) ORDER BY time ASC, "id" ASC LIMIT %(limit)s',
            [3, 2, 1],
        ),
        (BY_NAME, {"after": ("a",)}, "WHERE (name) > (%(key_0)s) ORDER BY u.name ASC LIMIT %(limit)s", [1, 2, 3]),
        (BY_NAME, {"before": ("a",)}, "WHERE (name) < (%(key_0)s) ORDER BY u.name DESC LIMIT %(limit)s", [3, 2, 1]),
    ],
)
def test_a_page_is_read_towards_its_key_and_shown_in_the_order_of_the_list(
    keyset: Keyset, place: dict[str, Any], statement: str, rows: list[int]
) -> None:
    database = Database()

    assert keyset.read(database, {"user": "ana"}, limit=9, **place) == rows

    [(asked, arguments)] = database.asked
    assert asked == statement
    key = next(iter(place.values()), ())
    assert arguments == {"user": "ana", "limit": 9} | {f"key_{i}": value for i, value in enumerate(key)}
