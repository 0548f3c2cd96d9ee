"""A client of changes, by the rules of docs/protocol.md: it applies pushes, states and answers to what it holds."""

import copy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from klatsch.conversations.access import Access
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.replay import Replays
from klatsch.messaging.changing import Delete, Edit, React, Wish
from klatsch.persister.batch import MessageRow
from klatsch.records.messages import MessagePosted
from tests.support.peer import Peer
from tests.support.records import Somebody
from tests.unit.changes_model import Message


@dataclass(eq=False)
class Request:
    """A message to send (`said`), or a change of the message `target`."""

    conversation: UUID
    client_id: str
    own_id: bytes
    target: str = ""
    said: MessagePosted | None = None
    wish: Wish | None = None


@dataclass(eq=False)
class Client:
    """A device. `token` is the next offset that it has not seen, and `again` what it will ask again."""

    somebody: Somebody
    gateway: int
    token: int | None = None
    messages: dict[str, Message] = field(default_factory=dict)
    waiting: dict[int, Request] = field(default_factory=dict)
    again: list[Request] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    pushed: list[int] = field(default_factory=list)
    outbox: Outbox | None = None
    person: ConnectedPerson | None = None
    peer: Peer = field(default_factory=Peer)
    number: int = 1

    def has_said(self, row: MessageRow | None) -> bool:
        """Returns whether that message is this person's own."""
        return row is not None and row.event.sender_id == self.somebody.user_id

    def connect(self, hub: Hub, access: list[tuple[Access, int]]) -> None:
        self.peer = Peer()
        self.outbox = Outbox(self.peer, hub.dirty, 2**22)
        self.person = hub.join(self.somebody.user_id, self.somebody.name, self.outbox)
        for right, version in access:
            hub.admit(self.person, right, version)

    async def replay(self, replays: Replays) -> None:
        assert self.person is not None
        assert self.outbox is not None
        assert self.token is not None
        self.outbox.deaf = True
        await replays.run(self.person, self.outbox, [self.token])

    def disconnect(self, hub: Hub) -> None:
        if self.person is not None and self.outbox is not None:
            hub.leave(self.person, self.outbox)
            self.outbox.closed = True
        self.person = self.outbox = None
        self.give_up()

    def give_up(self) -> list[Request]:
        given_up = list(self.waiting.values())
        self.again += given_up
        self.waiting.clear()
        return given_up

    def wait(self, request: Request) -> int:
        self.number += 1
        self.waiting[self.number] = request
        return self.number

    def take(self, read: int) -> list[tuple[Request, dict[str, Any]]]:
        """Takes the frames that have come, up to that place; returns the answers."""
        answers: list[tuple[Request, dict[str, Any]]] = []
        for frame in self.peer.read():
            kind = frame.get("t")
            if kind is None:
                request = self.waiting.pop(frame["re"], None)
                if request is not None:
                    answers.append((request, frame))
                    if "ok" in frame:
                        self.take_ok(request, frame["ok"])
            elif kind not in {"members", "mark"}:
                self.take_push(kind, int(frame["pos"].split(":")[2]), frame["d"])
        if self.outbox is not None:
            self.token = read
        return answers

    def take_push(self, kind: str, offset: int, body: dict[str, Any]) -> None:
        self.pushed.append(offset)
        known = self.messages.get(body["id"])
        if kind == "message" or (kind == "message_changed" and known is None):
            self.messages.setdefault(body["id"], Message(body["content"], offset))
        elif known is None or offset <= known.changed:
            return
        elif kind == "message_changed":
            known.content, known.changed = body["content"], offset
        else:
            known.changed = offset
            _apply(known, kind, body)

    def take_state(self, message_id: str, state: Message) -> None:
        known = self.messages.get(message_id)
        if known is None or known.changed < state.changed:
            self.messages[message_id] = Message(
                state.content, state.changed, None, state.deleted, state.pinned, copy.copy(state.reactions)
            )

    def take_ok(self, request: Request, ok: dict[str, Any]) -> None:
        """Applies one's own change. After a duplicate, `changed` stays: earlier pushes may still be on their way."""
        offset = int(ok["position"].split(":")[2])
        if request.said is not None:
            self.messages.setdefault(request.said.id, Message(request.said.content, offset))
            return
        known = self.messages.get(request.target)
        if known is None or offset <= known.changed:
            return
        if not ok["duplicate"]:
            known.changed = offset
        wish, name = request.wish, self.somebody.name
        if isinstance(wish, Edit):
            _apply(known, "message_edited", {"content": wish.content})
        elif isinstance(wish, Delete):
            _apply(known, "message_deleted", {})
        elif isinstance(wish, React):
            _apply(known, "reaction", {"emoji": wish.emoji, "on": wish.on, "user": name})
        elif wish is not None:
            _apply(known, "pinned", {"on": wish.on})


def _apply(message: Message, kind: str, body: dict[str, Any]) -> None:
    if kind == "message_edited":
        message.content = body["content"]
    elif kind == "message_deleted":
        message.content, message.deleted, message.pinned, message.reactions = "", True, False, set()
    elif kind == "pinned":
        message.pinned = body["on"]
    elif body["on"]:
        message.reactions.add((body["emoji"], body["user"]))
    else:
        message.reactions.discard((body["emoji"], body["user"]))
