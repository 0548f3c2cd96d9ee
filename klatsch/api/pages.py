"""Pages of lists by keyset cursor: a page is where its neighbour ended, so nothing is skipped or shown twice by it.

A list has a key: a NamedTuple of what orders it, unique in it, and of types that msgspec reads. Its endpoint asks the
query for `window.fetch` rows after `window.after` or before `window.before`, in the list's order; `cut` makes the page
of them, and `page_response` the answer:

    window = read_window(query, UserKey)
    people = search_people(limit=window.fetch, after=window.after, before=window.before)
    page = cut(people, window, lambda person: UserKey(person.username))
    return page_response(request, page, PersonSerializer(page.rows, many=True).data)
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from klatsch.api.bodies import TextField
from klatsch.core.errors import BadRequest, FieldError

ROWS_MOST = 100
ROWS_USUAL = 50
_CURSOR_CHARACTERS_MOST = 512

K = TypeVar("K", bound=tuple[Any, ...])
R = TypeVar("R")


class PageQuery(serializers.Serializer[Any]):
    """The query parameters of every list. A list with other bounds or filters extends it."""

    limit = serializers.IntegerField(
        min_value=1, max_value=ROWS_MOST, default=ROWS_USUAL, help_text="The most rows on a page."
    )
    cursor = TextField(
        max_length=_CURSOR_CHARACTERS_MOST,
        required=False,
        allow_blank=True,
        help_text="Opaque. Take it from `next`, `previous` or the `Link` header.",
    )

    def validate_cursor(self, value: str) -> str | None:
        """Treats an empty parameter like a missing one."""
        return value or None


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """The requested page: at most `limit` rows after or before a key, or the first rows."""

    limit: int
    after: K | None = None
    before: K | None = None

    @property
    def fetch(self) -> int:
        """Returns `limit` plus one row, which tells whether more follow."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A page's rows, with the cursors of its neighbours."""

    rows: Sequence[R]
    next: str | None
    previous: str | None


class HasNeighbours(Protocol):
    """A page of any kind: its answer needs only its cursors."""

    @property
    def next(self) -> str | None: ...

    @property
    def previous(self) -> str | None: ...


class Links(NamedTuple):
    """The addresses of a page's neighbours."""

    next: str | None
    previous: str | None

    def header(self) -> dict[str, str]:
        """Returns RFC 8288's `Link` header; empty without neighbours."""
        known = (("next", self.next), ("prev", self.previous))
        links = [f'<{address}>; rel="{relation}"' for relation, address in known if address]
        return {"Link": ", ".join(links)} if links else {}


def read_window(query: Mapping[str, Any], key: type[K]) -> Window[K]:
    """Returns the window of a checked PageQuery; raises BadRequest for a cursor of another list."""
    cursor = query.get("cursor")
    if cursor is None:
        return Window(query["limit"])
    direction, place = _decode(cursor, key)
    return Window(query["limit"], **{direction: place})


def cut(rows: Sequence[R], window: Window[K], key_of: Callable[[R], K]) -> Page[R]:
    """Returns the page of the rows that were fetched for `window`, in the list's order."""
    more = len(rows) > window.limit
    backwards = window.before is not None
    shown = rows[-window.limit :] if backwards else rows[: window.limit]
    if not shown:
        return Page(shown, None, None)
    return Page(
        shown,
        next=_encode("after", key_of(shown[-1])) if more or backwards else None,
        previous=_encode("before", key_of(shown[0])) if window.after is not None or (backwards and more) else None,
    )


def page_until(rows: Sequence[R], end: tuple[Any, ...] | None) -> Page[R]:
    """Returns a page of a list that is read in one direction: the next one begins after the key `end`, if any."""
    return Page(rows, next=None if end is None else _encode("after", end), previous=None)


def links(request: Request, page: HasNeighbours) -> Links:
    """Returns the addresses of the page's neighbours: this request's address with another cursor."""
    here = request.build_absolute_uri()
    return Links(*(cursor and replace_query_param(here, "cursor", cursor) for cursor in (page.next, page.previous)))


def page_response(request: Request, page: HasNeighbours, results: Any) -> Response:
    """Answers `{"results", "next", "previous"}`. `next` and `previous` are addresses, and stand in `Link` as well."""
    neighbours = links(request, page)
    body = {"results": results, "next": neighbours.next, "previous": neighbours.previous}
    return Response(body, headers=neighbours.header())


def _encode(direction: Literal["after", "before"], key: K) -> str:
    # The cursor holds the key's name, so that another list refuses it.
    raw = msgspec.json.encode((type(key).__name__, direction, key))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(cursor: str, key: type[K]) -> tuple[str, K]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        name, direction, place = msgspec.json.decode(raw, type=tuple[str, Literal["after", "before"], key])  # type: ignore[valid-type]  # a value here, which is what msgspec wants
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        name = ""
    if name != key.__name__:
        detail = "This cursor does not belong to this list. Start again without one."
        raise BadRequest(detail, fields=(FieldError("cursor", "invalid", detail),))
    return direction, place
