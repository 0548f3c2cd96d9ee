"""Keeping a connection: opens one after the other, with pauses between them, until that makes no sense."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from klatsch_client import reasons
from klatsch_client.connection import Connection, Finished
from klatsch_client.errors import Stopped
from klatsch_client.frames import SUBPROTOCOL, PushBody, Welcome
from klatsch_client.inbox import Inbox
from klatsch_client.retries import Backoff
from klatsch_client.sends import Sends
from klatsch_client.settings import Settings
from klatsch_client.signals import Signals
from klatsch_client.status import Status

_log = logging.getLogger("klatsch_client")

_OPEN_S = 10.0
_CLOSE_S = 2
_STEADY_S = 10.0
"""A connection that ends sooner after its first mark is a failure, and the next pause a longer one."""
_FRAME_BYTES_MOST: Final = 8 * 2**20
"""The largest frame accepted from the server: a reset names all of a person's conversations."""


class _NoRedirects(ClientConnection):
    """websockets before 14 would take the token along to wherever a redirect leads; later ones go there without it."""

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except InvalidStatus as refused:
            raise _Refused(refused) from refused


class _Refused(Exception):
    """An HTTP answer that opens no WebSocket."""

    def __init__(self, refused: InvalidStatus) -> None:
        super().__init__(str(refused))
        self.refused = refused


class Keeper:
    """Keeps a connection open. `whole` is set while there is one on which all that was missed has come."""

    def __init__(
        self,
        url: str,
        token: str,
        inbox: Inbox,
        sends: Sends,
        signals: Signals,
        settings: Settings,
        *,
        welcomed: Callable[[Welcome], None],
        came: Callable[[PushBody], None],
        finished: Finished,
        stands: Callable[[Status], None],
    ) -> None:
        self.whole = asyncio.Event()
        self._url = url
        self._token = token
        self._inbox = inbox
        self._sends = sends
        self._signals = signals
        self._backoff = Backoff(settings.reconnect_first_s, settings.reconnect_most_s)
        self._welcomed = welcomed
        self._came = came
        self._finished = finished
        self._stands = stands
        self._connection: Connection | None = None
        self._whole_s = math.inf
        self._is_held_up = False

    async def run(self) -> None:
        """Goes on until it is cancelled; raises Stopped when something has to be mended first."""
        while True:
            status = await self._try()
            _log.info("no connection: %s", status.reason)
            self.whole.clear()
            self._sends.lose_connection()
            self._signals.lose_connection()
            self._stands(status)
            if self._is_held_up or time.monotonic() - self._whole_s >= _STEADY_S:
                self._backoff.succeeded()
            await asyncio.sleep(self._backoff.next_s())

    async def _try(self) -> Status:
        """Runs one connection to its end. Returns the reason if trying again can help."""
        self._whole_s, self._is_held_up = math.inf, False
        try:
            return await self._connect()
        except _Refused as answered:
            return reasons.lost(answered.refused, self._url)
        except (OSError, TimeoutError, EOFError, WebSocketException) as error:
            return reasons.lost(error, self._url)

    def write_due(self) -> None:
        """Makes the connection write what is due."""
        self._inbox.gate.set()
        if self._connection is not None:
            self._connection.due.set()

    async def _open(self) -> ClientConnection:
        try:
            return await connect(
                self._url,
                create_connection=_NoRedirects,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers={"Authorization": f"Bearer {self._token}"},
                compression=None,
                max_size=_FRAME_BYTES_MOST,
                ping_interval=None,  # resume marks tell that the server lives; a slow application would not see pongs
                open_timeout=_OPEN_S,
                close_timeout=_CLOSE_S,
            )
        except ValueError as error:  # such as a host that no name can have
            if isinstance(error, OSError):  # as certificate errors are both
                raise
            raise Stopped(f"no address of a WebSocket: {error}") from error

    async def _connect(self) -> Status:
        async with await self._open() as socket:
            if socket.subprotocol != SUBPROTOCOL:
                raise Stopped(f"{self._url}: {reasons.NOT_KLATSCH}")
            self._connection = Connection(
                socket,
                self._inbox,
                self._sends,
                self._signals,
                welcomed=self._welcomed,
                came=self._came,
                whole=self._is_whole,
                finished=self._finished,
            )
            try:
                return await self._connection.run()
            finally:
                self._is_held_up = self._connection.is_held_up
                self._connection = None

    def _is_whole(self) -> None:
        self._whole_s = time.monotonic()
        self.whole.set()
