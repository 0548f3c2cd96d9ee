"""The client: joins the parts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from klatsch_client.clock import ServerClock
from klatsch_client.errors import Closed, Stopped
from klatsch_client.events import Draft, Message, Sent
from klatsch_client.frames import Welcome
from klatsch_client.histories import Histories
from klatsch_client.inbox import Inbox
from klatsch_client.keeping import Keeper
from klatsch_client.posting import Posting
from klatsch_client.sends import Sends
from klatsch_client.settings import Settings, api_beside, check_token
from klatsch_client.state import State
from klatsch_client.status import Status
from klatsch_client.taking import Events
from klatsch_client.uuid7 import Uuid7s

_USUAL = Settings()


class Client:
    """A person's place in the chat: sends, and tells what comes, through lost connections.

    Each new message is told once; one's own only if it was sent elsewhere, or its answer was late or lost. Take the
    events beside sending: while an application takes none, the server is made to wait, then closes, and is resumed.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        state: State | None = None,
        settings: Settings = _USUAL,
        on_status: Callable[[Status], None] = lambda _status: None,
    ) -> None:
        """`on_status` is told when the connection comes and goes, and why there is none."""
        check_token(token)
        self.state = State() if state is None else state
        self.status = Status("connecting")
        self._on_status = on_status
        histories = Histories(settings.api or api_beside(url), token)
        self._inbox = Inbox(settings.events_most, self.state.token)
        sends = Sends(self.state.unfinished.named, window=settings.window)
        self._events = Events(self.state, self._inbox, histories, settings)
        self._posting = Posting(self.state, sends, self._inbox, settings.unfinished_most)
        self._keeper = Keeper(
            url, token, self._inbox, sends, settings,
            welcomed=self._welcomed, finished=self._posting.finish, stands=self._stands,
        )  # fmt: skip
        self._uuids = Uuid7s()
        self._clock = ServerClock(wall_ms=_wall_ms, monotonic_ms=_monotonic_ms)
        self._error: Exception | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._keeper.run())
        self._running.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection. What has no answer yet stays in the state; iterations end after what has come."""
        self._end(Closed("the client was closed"))
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def wait_connected(self) -> None:
        """Returns when it is connected and all that was missed is here; raises Stopped."""
        await self._keeper.whole.wait()
        if self._error is not None:
            raise self._error

    async def send(
        self,
        content: str,
        *,
        to: str | None = None,
        conversation: str | None = None,
        reply_to: str | None = None,
        client_id: str | None = None,
    ) -> Sent:
        """Sends to a person or into a conversation, and returns when the message stands in the log, for good.

        However often that takes a new try, it is one message, named `client_id`; without one it is named when it is
        first written, or saved with the state. Raises Refused when it can never be
        sent. Stopped and Closed leave it in the state, to be sent later; so does cancelling. Its outcome is an event
        then.
        """
        if (to is None) == (conversation is None):
            raise ValueError("a message goes either to a person or into a conversation")
        await self._posting.wait_room()
        draft = Draft(client_id or "", content, to, conversation, reply_to)
        return await self._posting.post(draft, self._new_name, self._keeper.write_due)

    def events(self) -> Events:
        """All that happens; always the same iterator, which may be left and taken up again."""
        return self._events

    async def messages(self) -> AsyncIterator[Message]:
        """The new messages among the events."""
        async for event in self._events:
            if isinstance(event, Message):
                yield event

    def _welcomed(self, welcome: Welcome) -> None:
        self.state.belongs_to(welcome.user)
        self._clock.correct(welcome.now_ms)
        self._stands(Status("open"))

    def _new_name(self) -> str:
        return self._uuids.make(self._clock.now_ms())

    def _stands(self, status: Status) -> None:
        self.status = status
        self._on_status(status)

    def _ended(self, running: "asyncio.Task[None]") -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self._end(error if isinstance(error, Exception) else Closed(repr(error)))

    def _end(self, error: Exception) -> None:
        """From here on nothing is sent, and nothing comes beyond what is here."""
        if self._error is None:
            self._error = error
            self._inbox.end(None if isinstance(error, Closed) else error)
            self._posting.end(error)
            self._keeper.whole.set()
            self._stands(Status("closed", str(error), error.code if isinstance(error, Stopped) else None))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
