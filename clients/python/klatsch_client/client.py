"""The client: joins the parts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self, cast

from klatsch_client.archive import Archive
from klatsch_client.callbacks import call_back
from klatsch_client.clock import ServerClock
from klatsch_client.drafts import Change, Done, Draft, Marked, Marking, Sent
from klatsch_client.errors import Closed, Stopped
from klatsch_client.events import Event, Members
from klatsch_client.frames import PushBody, Welcome
from klatsch_client.histories import Histories
from klatsch_client.inbox import Inbox
from klatsch_client.keeping import Keeper
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.posting import Posting
from klatsch_client.rest import Rest
from klatsch_client.sends import Sends
from klatsch_client.settings import Settings, api_beside, check_token
from klatsch_client.signals import Signals
from klatsch_client.state import State
from klatsch_client.status import Status
from klatsch_client.taking import Events
from klatsch_client.uuid7 import Uuid7s
from klatsch_client.view import View

_USUAL = Settings()


class Client:
    """A person's client: sends and changes messages, and yields events, through lost connections.

    Each new message is yielded once; the person's own only if it was sent elsewhere, or its answer was late or lost.
    Take events while you send: if the application takes none, the server has to wait, then closes the connection, and
    the client resumes later. `archive` reads histories and lists over REST.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        state: State | None = None,
        settings: Settings = _USUAL,
        view: View | None = None,
        on_status: Callable[[Status], None] = lambda _status: None,
    ) -> None:
        """`on_status` is told when the connection comes and goes, and why there is none; `view` is kept up to date."""
        check_token(token)
        self.state = State() if state is None else state
        self.status = Status("connecting")
        self._on_status = on_status
        self._uuids = Uuid7s()
        self._clock = ServerClock(wall_ms=_wall_ms, monotonic_ms=_monotonic_ms)
        self._view = view
        if view is not None:
            view.bind(_monotonic_s, user=lambda: self.state.user or "", now=self._now, drafts=self.state.unfinished)
        rest = Rest(settings.api or api_beside(url), token)
        self.archive = Archive(rest, view)
        self._inbox = Inbox(settings.events_most, self.state.token)
        self._signals = Signals()
        sends = Sends(self.state.unfinished.named, window=settings.window)
        self._events = Events(self.state, self._inbox, Histories(rest), settings, self._hand_over)
        self._posting = Posting(
            self.state, sends, self._inbox, settings.unfinished_most, now=self._now, told=self._show
        )
        self._keeper = Keeper(
            url, token, self._inbox, sends, self._signals, settings,
            welcomed=self._welcomed, came=self._came, finished=self._posting.finish, stands=self._stands,
        )  # fmt: skip
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
        """Sends to a person or into a conversation, and returns when the message is in the log, for good.

        All tries together make one message, named `client_id`. Without a `client_id`, the message is named when it is
        first written, or saved with the state. Raises Refused when it can never be sent. Stopped, Closed and
        cancelling leave it in the state, to be sent later; its outcome is then an event.
        """
        if (to is None) == (conversation is None):
            raise ValueError("a message goes either to a person or into a conversation")
        await self._posting.wait_room()
        draft = Draft(client_id or "", content, to, conversation, reply_to)
        return cast("Sent", await self._posting.post(draft, self._new_name, self._keeper.write_due))

    async def edit(
        self, message: Message | Sent, content: str, *, base: Position | None = None, client_id: str | None = None
    ) -> Done:
        """Gives the person's own message another text, and returns when the edit is in the log, for good.

        Like `send` it is tried again under one name. With `base`, the `changed` that the editor saw, it raises Conflict
        where another edit has come since. It raises Gone for a deleted message, and Refused for all else.
        """
        return await self._change("edit", message, client_id, content=content, base=base)

    async def delete(self, message: Message | Sent, *, client_id: str | None = None) -> Done:
        """Deletes a message for good: the person's own, or others' as an owner or admin. Raises as `edit` does."""
        return await self._change("delete", message, client_id)

    async def react(
        self, message: Message | Sent, emoji: str, *, on: bool = True, client_id: str | None = None
    ) -> Done:
        """Adds the person's reaction to a message, or takes it back. Raises as `edit` does."""
        return await self._change("react", message, client_id, emoji=emoji, on=on)

    async def pin(self, message: Message | Sent, *, on: bool = True, client_id: str | None = None) -> Done:
        """Pins a message in its conversation, or takes its pin off. Raises as `edit` does."""
        return await self._change("pin", message, client_id, on=on)

    def mark(self, conversation: str, *, read: Position | None = None, delivered: Position | None = None) -> None:
        """Marks a conversation as read and received up to positions; a lower one than before changes nothing.

        It is written at most once a second, with the highest of what was marked, and again until the server has it. A
        refusal is a Failed among the events.
        """
        if read is not None or delivered is not None:
            self._posting.mark(Marking(conversation, delivered, read), self._keeper.write_due)

    def open(self, conversations: Iterable[str]) -> None:
        """Makes these conversations, 3 at most, tell who types there. Holds through lost connections."""
        self._signals.open(conversations)
        self._keeper.write_due()

    def presence(self, users: Iterable[str]) -> None:
        """Watches whether these people, 200 at most, are online. Holds through lost connections."""
        self._signals.watch(users)
        self._keeper.write_due()

    def typing(self, conversation: str, *, on: bool = True) -> None:
        """Signals that the person types, or has stopped; may be called with each key. It is never signalled later."""
        if self.status.state == "open":
            self._signals.type(conversation, time.monotonic(), on=on)
            self._keeper.write_due()

    async def _change(
        self,
        op: Literal["edit", "delete", "react", "pin"],
        message: Message | Sent,
        client_id: str | None,
        *,
        content: str | None = None,
        base: Position | None = None,
        emoji: str | None = None,
        on: bool | None = None,
    ) -> Done:
        await self._posting.wait_room()
        where = message.draft.conversation if isinstance(message, Sent) else message.conversation
        draft = Change(client_id or "", op, message.id, message.position, where or "", content, base, emoji, on)
        return cast("Done", await self._posting.post(draft, self._new_name, self._keeper.write_due))

    def events(self) -> Events:
        """Returns the iterator over all events: always the same one, which may be left and taken up again."""
        return self._events

    async def messages(self) -> AsyncIterator[Message]:
        """Yields the new messages among the events."""
        async for event in self._events:
            if isinstance(event, Message):
                yield event

    def _welcomed(self, welcome: Welcome) -> None:
        self.state.belongs_to(welcome.user)
        self._clock.correct(welcome.now_ms)
        self._stands(Status("open"))

    def _show(self, what: Event | Marked | None) -> None:
        """Keeps the view up to date."""
        if self._view is not None:
            self._view.apply(what)

    def _hand_over(self, event: Event) -> None:
        self._show(event)
        if isinstance(event, Members) and event.ends_for(self.state.user or ""):
            self._signals.leave(event.conversation)
            self._keeper.write_due()

    def _came(self, what: PushBody) -> None:
        self._posting.see(what, self._keeper.write_due)

    def _new_name(self) -> str:
        return self._uuids.make(self._clock.now_ms())

    def _now(self) -> str:
        moment = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _stands(self, status: Status) -> None:
        if status.state != "open" and self.status.state == "open":
            if self._view is not None:
                self._view.lose_connection()
            self._posting.lose_connection()
        self.status = status
        call_back(self._on_status, status)

    def _ended(self, running: "asyncio.Task[None]") -> None:
        if not running.cancelled() and (error := running.exception()) is not None:
            self._end(error if isinstance(error, Exception) else Closed(repr(error)))

    def _end(self, error: Exception) -> None:
        """Stops sending. Iterations end after the events that have come already."""
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


def _monotonic_s() -> float:
    return time.monotonic()
