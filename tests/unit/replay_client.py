"""A client that comes and goes at a gateway in memory, and what the archive answers when the client resumes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from klatsch.archive.changes import Asked, Found
from klatsch.archive.message_view import MessageView, view_of_posted
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.replay import never
from tests.support.gateway_parts import Parts, standing_of
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, COFFEE, TEA, Somebody, fresh_client_id, in_group, message, posted

Frames = list[dict[str, Any]]


class Client:
    """Comes and goes, with the token of its last mark."""

    def __init__(self, parts: Parts, somebody: Somebody = ANA) -> None:
        self.parts = parts
        self.somebody = somebody
        self.token: str | None = None
        self.peer = Peer()
        self.outbox: Outbox | None = None
        self.person: ConnectedPerson | None = None
        self.standings = [standing_of(in_group(somebody))]

    async def sign_in(self) -> None:
        self.peer = Peer()
        self.outbox = Outbox(self.peer, self.parts.hub.dirty, 2**20)
        if self.somebody.user_id not in self.parts.hub.people:
            self.parts.database.answers.append(self.standings)
        self.person = await self.parts.join(self.somebody, self.outbox)

    async def catch_up(self, resume: str | None = None, enough: Callable[[], bool] = never) -> None:
        assert self.outbox is not None
        assert self.person is not None
        await self.parts.resuming.resume(self.person, self.outbox, resume or self.token, self._answer, enough)

    def _answer(self, resumed: bool) -> None:  # noqa: FBT001 - as the gateway calls it
        assert self.outbox is not None
        assert self.person is not None
        self.outbox.answer(protocol.ok(1, self.parts.resuming.welcome(self.person, resumed=resumed)))

    async def come(self, resume: str | None = None) -> Frames:
        """Signs in and resumes; returns what came until the mark."""
        await self.sign_in()
        await self.catch_up(resume)
        return self.read()

    def read(self) -> Frames:
        frames = self.peer.read()
        self.token = next((f["resume"] for f in reversed(frames) if f.get("t") == "mark"), self.token)
        return frames

    async def miss_much(self, *first: Entry, conversation: UUID = COFFEE) -> None:
        """Comes and goes, and signs in again after 40 more messages: a memory of some bytes has forgotten the first."""
        await self.come()
        self.go()
        say(self.parts, *first)
        for number in range(40):
            say(self.parts, message(in_group(BOB, conversation), f"text {number}"))
        await self.sign_in()

    def go(self) -> None:
        assert self.person is not None
        assert self.outbox is not None
        self.parts.hub.leave(self.person, self.outbox)


def say(parts: Parts, *entries: Entry) -> list[Record]:
    """Appends, and lets the gateway read it."""
    records = [parts.log.append(entry) for entry in entries]
    parts.read_log()
    return records


def contents(frames: Frames) -> list[str]:
    return [frame["d"]["content"] for frame in frames if frame.get("t") == "message"]


def kinds(frames: Frames) -> list[str]:
    return [frame.get("t", "ok") for frame in frames]


def found(archived: int, *, messages: int = 1) -> Found:
    """Returns the answer of an archive that has come so far, where something was said at the tea."""
    return Found({0: archived}, [Asked(str(TEA), 0, 0, archived)], {str(TEA): messages})


def view(content: str, position: str) -> MessageView:
    """Returns a message as the archive has it."""
    return view_of_posted(posted(in_group(BOB), content, client_id=fresh_client_id()), position, seq=1)
