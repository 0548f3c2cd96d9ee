"""A connection that sends through a gateway in memory."""

from dataclasses import dataclass
from typing import Any

from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.requests import Send, SendBody
from klatsch.gateway.outbox import Outbox
from tests.support.gateway_parts import Parts
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, TEA, direct, fresh_client_id, in_group


@dataclass
class Chat:
    """Ana's connection, and the parts that it sends through."""

    parts: Parts
    person: ConnectedPerson
    outbox: Outbox
    peer: Peer

    @classmethod
    def of(cls, parts: Parts | None = None, *, member: bool = True) -> "Chat":
        parts = parts or Parts()
        peer = Peer()
        outbox = Outbox(peer, parts.hub.dirty, 2**20)
        person = parts.hub.join(ANA.user_id, ANA.name, outbox)
        if member:
            parts.hub.admit(person, in_group(ANA), 1)
            parts.hub.admit(person, direct(ANA, BOB), 1)
        return cls(parts, person, outbox, peer)

    async def send(self, re: int = 1, **fields: Any) -> None:
        body: dict[str, Any] = {"content": "hi", "client_id": fresh_client_id(), "conversation": str(TEA)} | fields
        await self.parts.sending.send(self.person, self.outbox, Send(id=re, d=SendBody(**body)))

    @property
    def appended(self) -> int:
        return len(self.parts.log.records[0])
