"""A connection that changes messages, and the frames that it sends."""

from typing import Any

import msgspec

from klatsch.archive.targets import Facts
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.requests import (
    ChangeFrame,
    DeleteBody,
    DeleteFrame,
    EditBody,
    EditFrame,
    PinBody,
    PinFrame,
    ReactBody,
    ReactFrame,
)
from klatsch.gateway.outbox import Outbox
from tests.support.changes import facts_of
from tests.support.gateway_parts import CannedProgress, Parts
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, Somebody, fresh_client_id, in_group, posted

SAID = posted(in_group(ANA), "hi", client_id="one")
OTHER = posted(in_group(BOB), "yes", client_id="two")
MINE, THEIRS = facts_of(SAID, ANA), facts_of(OTHER, ANA)
AS_ADMIN = facts_of(OTHER, ANA, role="admin")


class LateProgress(CannedProgress):
    """An archive that does not come on; it notes what is waited for."""

    def __init__(self, *, reaches: bool = True) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []
        self._reaches = reaches

    async def reach(self, partition: int, offset: int, deadline_s: float) -> bool:
        self.asked.append((partition, offset))
        return self._reaches


class Desk:
    """A connection, and the parts that its changes go through. The archive knows `facts`."""

    def __init__(self, facts: Facts | None, somebody: Somebody = ANA, *, reaches: bool = True) -> None:
        self.parts = Parts()
        self.parts.progress = LateProgress(reaches=reaches)
        self.parts.changing._progress = self.parts.progress
        self.peer = Peer()
        self.outbox = Outbox(self.peer, self.parts.hub.dirty, 2**20)
        self.person: ConnectedPerson = self.parts.hub.join(somebody.user_id, somebody.name, self.outbox)
        self.parts.hub.admit(self.person, in_group(somebody), 1)
        self.facts = facts

    async def change(self, frame: ChangeFrame, *later: Any) -> None:
        self.parts.database.answers = [self.facts, *later]
        await self.parts.changing.change(self.person, self.outbox, frame)

    @property
    def appended(self) -> int:
        return len(self.parts.log.records[0])


def edit(content: str = "hi!", *, re: int = 1, **fields: Any) -> EditFrame:
    named = {"message": SAID.id, "position": "1:0:0", "client_id": fresh_client_id()}
    return EditFrame(id=re, d=EditBody(**{**named, "content": content, **fields}))


def delete() -> DeleteFrame:
    return DeleteFrame(id=1, d=DeleteBody(message=SAID.id, position="1:0:0", client_id=fresh_client_id()))


def react(emoji: str = "👍", *, on: bool = True) -> ReactFrame:
    body = ReactBody(message=SAID.id, position="1:0:0", client_id=fresh_client_id(), emoji=emoji, on=on)
    return ReactFrame(id=1, d=body)


def pin(*, on: bool = True) -> PinFrame:
    return PinFrame(id=1, d=PinBody(message=SAID.id, position="1:0:0", client_id=fresh_client_id(), on=on))


def changed(facts: Facts, **fields: Any) -> Facts:
    return msgspec.structs.replace(facts, **fields)
