"""Search of messages over REST."""

from typing import Any, Final

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import TextField, read_query
from klatsch.api.histories import HistoryQuery, MessagePage, MomentKey, page_of_bytes, wait_for_archive
from klatsch.api.pages import page_until, read_window
from klatsch.api.rates import charge
from klatsch.api.schema import NEIGHBOURS, operation
from klatsch.archive.search import LOOKED_AT_MOST, search_messages

_QUERY_MOST: Final = 200
"""In characters."""
_COST: Final = 100
"""In requests: a page may keep PostgreSQL busy for 0.2 s."""


class SearchQuery(HistoryQuery):
    q = TextField(
        max_length=_QUERY_MOST,
        help_text='Words that a message must have, in any case. Also `"a phrase"`, `or`, and `-` before a word.',
    )


class FoundKey(MomentKey):
    """A cursor in the results of a search: all messages before it were looked at."""


class Search(APIView):
    @operation(
        "search_messages",
        "Search messages",
        "Returns the messages that have these words, of all your conversations, newest first by (`sent_at`, `id`). "
        f"A page looks at up to {LOOKED_AT_MOST:,} messages, and may have few results or none. Older messages are left "
        f"as long as there is a `next`. `previous` is always null. Counts as {_COST} requests.",
        parameters=(SearchQuery, NEIGHBOURS),
        answers={200: MessagePage},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        query = read_query(request, SearchQuery)
        window = read_window(query, FoundKey)
        charge(request, _COST)
        wait_for_archive(request, query)
        found = search_messages(user_id=person_of(request).id, words=query["q"], limit=window.limit, after=window.after)
        return page_of_bytes(request, page_until(found.messages, found.end and FoundKey(*found.end)))


urlpatterns: list[Any] = [path("search", Search.as_view())]
