"""Keeping a connection: opens one after the other, with pauses between them, until that makes no sense."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from klatsch.client.connection import Connection
from klatsch.client.errors import Stopped
from klatsch.client.events import Failed, Sent
from klatsch.client.frames import SUBPROTOCOL, Welcome
from klatsch.client.inbox import Inbox
from klatsch.client.retries import Backoff
from klatsch.client.sends import Sends
from klatsch.client.settings import Settings

_log = logging.getLogger("klatsch.client")

_OPEN_S = 10.0
_CLOSE_S = 2
_FRAME_BYTES_MOST: Final = 8 * 2**20
"""Of a frame from the server: a reset names all of one's conversations."""
_LATER_STATUS: Final = frozenset({408, 425, 429})
_CLIENT_ERRORS: Final = range(400, 500)


class Keeper:
    """`whole` is set while there is a connection on which all that was missed has come."""

    def __init__(
        self,
        url: str,
        token: str,
        inbox: Inbox,
        sends: Sends,
        settings: Settings,
        *,
        welcomed: Callable[[Welcome], None],
        finished: Callable[[Sent | Failed], None],
    ) -> None:
        self.whole = asyncio.Event()
        self._url = url
        self._token = token
        self._inbox = inbox
        self._sends = sends
        self._backoff = Backoff(settings.reconnect_first_s, settings.reconnect_most_s)
        self._welcomed = welcomed
        self._finished = finished
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Goes on until it is cancelled; raises Stopped when something has to be mended first."""
        while True:
            try:
                await self._connect()
            except InvalidStatus as refused:
                status = refused.response.status_code
                if status in _CLIENT_ERRORS and status not in _LATER_STATUS:
                    raise Stopped("the WebSocket was refused", status) from refused
                _log.info("no connection: HTTP %s", status)
            except (OSError, TimeoutError, EOFError, InvalidHandshake) as error:
                _log.info("no connection: %s: %s", type(error).__name__, error)
            self.whole.clear()
            self._sends.lose_connection()
            await asyncio.sleep(self._backoff.next_s())

    def write_due(self) -> None:
        """There is something to send."""
        self._inbox.gate.set()
        if self._connection is not None:
            self._connection.due.set()

    async def _connect(self) -> None:
        async with connect(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {self._token}"},
            compression=None,
            max_size=_FRAME_BYTES_MOST,
            ping_interval=None,  # marks tell that the server lives; a slow application would not see pongs
            open_timeout=_OPEN_S,
            close_timeout=_CLOSE_S,
        ) as socket:
            self._connection = Connection(
                socket,
                self._inbox,
                self._sends,
                welcomed=self._welcomed,
                whole=self._is_whole,
                finished=self._finished,
            )
            try:
                await self._connection.run()
            finally:
                self._connection = None

    def _is_whole(self) -> None:
        self._backoff.succeeded()
        self.whole.set()
