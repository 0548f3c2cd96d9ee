"""Reads the archive page by page: histories, versions, pins, mentions, searches, markers and conversations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from klatsch_client.errors import Unavailable
from klatsch_client.events import Marker
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.reading import place_or_none, text, text_or_none, texts
from klatsch_client.rest import Rest
from klatsch_client.view import View

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list. `next` is what the next page is asked for with; None at the end."""

    rows: list[Row]
    next: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """A text that a message had or has, since the record at `position`."""

    content: str
    written_at: str
    position: Position


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as the person sees it. `unread` and `mentions` are counts, or "1000+" from 1,000 on.

    `unread_from` is the person's own flag. `pinned` has ids of messages.
    """

    id: str
    kind: str
    title: str
    updated_at: str
    unread: int | str | None
    mentions: int | str | None
    delivered: Position | None
    read: Position | None
    unread_from: Position | None
    muted_until: str | None
    pinned: tuple[str, ...]
    last_message: Message | None


class Archive:
    """Reads over REST. Every method raises Refused, Unavailable when a later try may succeed, and Stopped.

    Messages of `history` and `pins` come into the client's view too.
    """

    def __init__(self, rest: Rest, view: View | None) -> None:
        self._rest = rest
        self._view = view

    async def history(
        self, conversation: str, *, after: str | None = None, limit: int = 100, at_least: Position | str | None = None
    ) -> Page[Message]:
        """Returns a conversation's messages, newest first: the newest page, or the one `after` a page, by its `next`.

        `at_least` waits for the archive to have all up to a position or a resume token.
        """
        page = await self._page(f"conversations/{_part(conversation)}/messages", after, limit, at_least, Message.read)
        self._show(page)
        return page

    async def pins(self, conversation: str) -> Page[Message]:
        """Returns the pinned messages of a conversation, the newest pin first, in one page."""
        page = await self._page(f"conversations/{_part(conversation)}/pins", None, 100, None, Message.read)
        self._show(page)
        return page

    async def mentions(self, *, after: str | None = None, limit: int = 100) -> Page[Message]:
        """Returns a page of the messages that mention the person, newest first."""
        return await self._page("mentions", after, limit, None, Message.read)

    async def search(self, words: str, *, after: str | None = None, limit: int = 100) -> Page[Message]:
        """Returns a page of the messages that have these words, newest first. It may be empty and have a `next`."""
        return await self._page("search", after or urlencode({"q": words, "limit": limit}), limit, None, Message.read)

    async def versions(self, message_id: str, *, after: str | None = None, limit: int = 100) -> Page[Version]:
        """Returns a page of the texts that a message had and has, the oldest first."""
        return await self._page(f"messages/{_part(message_id)}/versions", after, limit, None, _version)

    async def markers(self, conversation: str, *, after: str | None = None, limit: int = 100) -> Page[Marker]:
        """Returns a page of the markers of a conversation's members: of those who let others see them."""
        path = f"conversations/{_part(conversation)}/markers"
        return await self._page(
            path, after, limit, None, lambda row: Marker.parse({"conversation": conversation, **row})
        )

    async def conversations(
        self, *, after: str | None = None, limit: int = 100, at_least: Position | str | None = None
    ) -> Page[Conversation]:
        """Returns a page of the person's conversations with their unread counts, the last active one first."""
        return await self._page("conversations", after, limit, at_least, _conversation)

    async def _page(
        self,
        path: str,
        after: str | None,
        limit: int,
        at_least: Position | str | None,
        read: Callable[[Mapping[str, Any]], Row],
    ) -> Page[Row]:
        first = {"limit": str(limit)} | ({} if at_least is None else {"at_least": str(at_least)})
        body = await self._rest.get(f"{path}?{after or urlencode(first)}")
        try:
            following = text_or_none(body, "next")
            return Page([read(row) for row in body["results"]], following and urlsplit(following).query)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable(f"what answers is no list of Klatsch's: {error!r}") from error

    def _show(self, page: Page[Message]) -> None:
        if self._view is not None:
            self._view.add(page.rows)


def _part(name: str) -> str:
    return quote(name, safe="")


def _version(row: Mapping[str, Any]) -> Version:
    return Version(text(row, "content"), text(row, "written_at"), Position.parse(text(row, "position")))


def _conversation(row: Mapping[str, Any]) -> Conversation:
    markers = row.get("markers") or {}
    return Conversation(
        id=text(row, "id"),
        kind=text(row, "kind"),
        title=text(row, "title"),
        updated_at=text(row, "updated_at"),
        unread=_count(row, "unread"),
        mentions=_count(row, "mentions"),
        delivered=place_or_none(markers, "delivered"),
        read=place_or_none(markers, "read"),
        unread_from=place_or_none(row, "unread_from"),
        muted_until=text_or_none(row, "muted_until"),
        pinned=texts(row.get("pinned") or [], "pinned"),
        last_message=None if row.get("last_message") is None else Message.read(row["last_message"]),
    )


def _count(row: Mapping[str, Any], name: str) -> int | str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, int | str):
        raise TypeError(f"{name} is no number")
    return value
