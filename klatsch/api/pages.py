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
    """The query of every list; a list with other bounds or filters extends it."""

    limit = serializers.IntegerField(
        min_value=1, max_value=ROWS_MOST, default=ROWS_USUAL, help_text="How many at most on a page."
    )
    cursor = TextField(
        max_length=_CURSOR_CHARACTERS_MOST,
        required=False,
        allow_blank=True,
        help_text="Opaque: from `next` or `previous`, or `Link`.",
    )

    def validate_cursor(self, value: str) -> str | None:
        """An empty parameter is as none."""
        return value or None


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """Which page is asked for: at most `limit` rows after or before a key, or the first ones."""

    limit: int
    after: K | None = None
    before: K | None = None

    @property
    def fetch(self) -> int:
        """One more than is shown, to know whether there is more."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """What is shown, with the cursors of its neighbours."""

    rows: Sequence[R]
    next: str | None
    previous: str | None


class HasNeighbours(Protocol):
    """A page of any kind: cursors are all that its answer needs to know of it."""

    @property
    def next(self) -> str | None: ...

    @property
    def previous(self) -> str | None: ...


class Links(NamedTuple):
    """The addresses of a page's neighbours."""

    next: str | None
    previous: str | None

    def header(self) -> dict[str, str]:
        """RFC 8288's `Link`; nothing where there is no neighbour."""
        known = (("next", self.next), ("prev", self.previous))
        links = [f'<{address}>; rel="{relation}"' for relation, address in known if address]
        return {"Link": ", ".join(links)} if links else {}


def read_window(query: Mapping[str, Any], key: type[K]) -> Window[K]:
    """The window of a checked PageQuery; raises BadRequest for a cursor that is not one of this list's."""
    cursor = query.get("cursor")
    if cursor is None:
        return Window(query["limit"])
    direction, place = _decode(cursor, key)
    return Window(query["limit"], **{direction: place})


def cut(rows: Sequence[R], window: Window[K], key_of: Callable[[R], K]) -> Page[R]:
    """The page of what was fetched for `window`, in the list's order."""
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


def links(request: Request, page: HasNeighbours) -> Links:
    """The addresses of the page's neighbours: this request's, with another cursor."""
    here = request.build_absolute_uri()
    return Links(*(cursor and replace_query_param(here, "cursor", cursor) for cursor in (page.next, page.previous)))


def page_response(request: Request, page: HasNeighbours, results: Any) -> Response:
    """`{"results", "next", "previous"}`, the latter two as addresses to follow, and in `Link` once more."""
    neighbours = links(request, page)
    body = {"results": results, "next": neighbours.next, "previous": neighbours.previous}
    return Response(body, headers=neighbours.header())


def _encode(direction: Literal["after", "before"], key: K) -> str:
    # The key's name is in it, so that a cursor of one list is refused by another.
    raw = msgspec.json.encode((type(key).__name__, direction, key))
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(cursor: str, key: type[K]) -> tuple[str, K]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        name, direction, place = msgspec.json.decode(raw, type=tuple[str, Literal["after", "before"], key])  # type: ignore[valid-type]  # a value here, which is what msgspec wants
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        name = ""
    if name != key.__name__:
        detail = "This cursor is none of this list's."
        raise BadRequest(detail, fields=(FieldError("cursor", "invalid", detail),))
    return direction, place
