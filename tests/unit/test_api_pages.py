from datetime import UTC, datetime
from typing import Annotated, NamedTuple

import msgspec
import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from klatsch.api.bodies import read_query
from klatsch.api.pages import Page, PageQuery, Window, cut, links, page_response, read_window
from klatsch.core.errors import BadRequest


class Key(NamedTuple):
    number: int


class OtherKey(NamedTuple):
    number: int


class MomentKey(NamedTuple):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str


def fetch(window: Window[Key], stored: range = range(1, 8)) -> list[int]:
    """Returns what a query does: `window.fetch` rows next to the key, in the list's order."""
    if window.before is not None:
        return [n for n in stored if n < window.before.number][-window.fetch :]
    return [n for n in stored if window.after is None or n > window.after.number][: window.fetch]


def page_at(cursor: str | None, limit: int = 3, stored: range = range(1, 8)) -> Page[int]:
    window = read_window({"limit": limit, "cursor": cursor}, Key)
    return cut(fetch(window, stored), window, Key)


def test_pages_show_every_row_once_in_order() -> None:
    seen: list[int] = []
    cursor = None
    while True:
        page = page_at(cursor)
        seen += page.rows
        cursor = page.next
        if cursor is None:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_the_first_page_has_no_previous_and_the_last_no_next() -> None:
    first = page_at(None)
    last = page_at(page_at(first.next).next)
    assert first.previous is None
    assert list(last.rows) == [7]
    assert last.next is None


def test_going_back_shows_the_pages_that_were_before() -> None:
    first = page_at(None)
    second = page_at(first.next)
    third = page_at(second.next)
    back = page_at(third.previous)
    assert list(back.rows) == [4, 5, 6]
    front = page_at(back.previous)
    assert list(front.rows) == [1, 2, 3]
    assert front.previous is None
    assert front.next is not None


def test_a_page_that_holds_all_has_no_neighbours() -> None:
    page = page_at(None, limit=7)
    assert (page.next, page.previous) == (None, None)


def test_an_empty_page_has_no_neighbours() -> None:
    page = page_at(page_at(None).next, stored=range(0))
    assert (list(page.rows), page.next, page.previous) == ([], None, None)


def test_rows_that_come_and_go_neither_repeat_nor_hide_their_neighbours() -> None:
    following = page_at(page_at(None).next, stored=range(3, 10))
    assert list(following.rows) == [4, 5, 6]


@pytest.mark.parametrize("cursor", ["", "x", "%", "AAAA", "W10", "é", "bnVsbA", "W1tbW1tbW1tb", "A" * 5000])
def test_a_cursor_that_is_none_of_ours_is_a_bad_request(cursor: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_window({"limit": 3, "cursor": cursor}, Key)
    assert caught.value.fields[0].field == "cursor"


def test_a_cursor_of_another_list_is_a_bad_request() -> None:
    cursor = page_at(None).next
    with pytest.raises(BadRequest):
        read_window({"limit": 3, "cursor": cursor}, OtherKey)


def test_a_key_of_several_parts_comes_back_as_it_was() -> None:
    key = MomentKey(datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=UTC), "x")
    window: Window[MomentKey] = Window(1)
    page = cut([1, 2], window, lambda _: key)
    assert read_window({"limit": 3, "cursor": page.next}, MomentKey).after == key


def test_limits_beyond_the_bounds_are_refused() -> None:
    for limit in ("0", "101", "-1", "many", "9" * 400):
        query = PageQuery(data={"limit": limit})
        assert not query.is_valid()
        assert "limit" in query.errors


def test_links_are_this_requests_address_with_another_cursor() -> None:
    request = Request(APIRequestFactory().get("/api/v1/users?search=a%26b&cursor=old"))
    addresses = links(request, Page([1], next="n", previous="p"))
    assert addresses.next == "http://testserver/api/v1/users?cursor=n&search=a%26b"
    assert addresses.header() == {
        "Link": '<http://testserver/api/v1/users?cursor=n&search=a%26b>; rel="next", '
        '<http://testserver/api/v1/users?cursor=p&search=a%26b>; rel="prev"'
    }


def test_a_list_without_neighbours_has_no_link_header() -> None:
    response = page_response(Request(APIRequestFactory().get("/x")), Page([1], None, None), [1])
    assert response.data == {"results": [1], "next": None, "previous": None}
    assert "Link" not in response.headers


def test_a_parameter_that_is_given_twice_is_refused_by_name() -> None:
    request = Request(APIRequestFactory().get("/", {"limit": ["a", "5"]}))
    with pytest.raises(ValidationError) as refused:
        read_query(request, PageQuery)
    assert refused.value.get_codes() == {"limit": ["repeated"]}
