"""Pages of histories, to be loaded after a `reset`."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from klatsch_client.errors import Refused, Stopped
from klatsch_client.reload import PageRequest
from klatsch_client.rest import Rest

_GONE_CODES: Final = {"forbidden", "not_a_member", "not_found"}


class Histories:
    """Pages of conversations, over REST."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def load_page(self, request: PageRequest) -> Mapping[str, Any] | None:
        """Returns the page; None if there is no such history for this person. Raises Unavailable, Stopped."""
        try:
            page: Mapping[str, Any] = await self._rest.get(
                f"conversations/{quote(request.conversation, safe='')}/messages?{request.query}"
            )
        except Refused as refused:
            if refused.code in _GONE_CODES:
                return None
            raise Stopped(f"REST gives no history: {refused}") from refused
        return page
