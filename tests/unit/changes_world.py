"""Gateways, a persister and clients over one log in memory, driven step by step, with a clock that the steps move.

Feeds, hubs, rings, replays, checks and records are the product's. PostgreSQL is `changes_archive`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from klatsch.core.errors import Conflict, KlatschError
from klatsch.core.ids import direct_conversation_id, is_fresh, message_id, uuid_bytes, uuid_text
from klatsch.eventlog.log import Entry, Record
from klatsch.eventlog.memory import MemoryLog
from klatsch.gateway import changing
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.replay import Replays
from klatsch.messaging.changing import Wish, digest_of, identify_change, make_change
from klatsch.records.header import WHOLE_MESSAGE
from klatsch.records.members import ConversationKind, Membership
from tests.support.gateway_parts import REPLAY, SECRET, CannedDatabase
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    NOW_MS,
    TEA,
    Somebody,
    change_of,
    direct,
    entry_of,
    in_group,
    members,
    posted,
)
from tests.unit.changes_archive import POISON, Archive, Place, know
from tests.unit.changes_client import Client, Request
from tests.unit.changes_gateway import Gateway, start_gateway
from tests.unit.feed_parts import wait_for

TALK: Final = direct_conversation_id(ANA.id, BOB.id)
PEERS: Final = {ANA.name: BOB, BOB.name: ANA}
BEHIND_MS: Final = 5_000
DEADLINE_MS: Final = 10_000
COPY_MS: Final = 120_000
"""The greatest age of a copied message: a client_id is fresh for a minute before and a minute after."""


@dataclass
class World:
    """The world of these tests. `promised` are records of members that PostgreSQL holds and the log does not yet."""

    now_ms: int = NOW_MS
    archive: Archive = field(default_factory=Archive)
    promised: list[Entry] = field(default_factory=list)
    flying: list[tuple[int, Entry]] = field(default_factory=list)
    places: dict[tuple[UUID, str], Place] = field(default_factory=dict)
    answers: list[tuple[Request, dict[str, Any]]] = field(default_factory=list)
    retired: list[Gateway] = field(default_factory=list)
    named: int = 0

    def __post_init__(self) -> None:
        know([ANA, BOB, CLEO])
        self.log = MemoryLog(1, lambda: self.now_ms)
        self.places = {(TEA, one.name): Place() for one in (ANA, BOB, CLEO)}
        self.places |= {(TALK, one.name): Place() for one in (ANA, BOB)}
        self.places[TEA, ANA.name].role, self.places[TEA, BOB.name].role = "owner", "admin"
        self.gateways = [self._gateway(0), self._gateway(700)]
        self.clients = [
            Client(somebody, number) for somebody, number in ((ANA, 0), (BOB, 0), (CLEO, 0), (ANA, 1), (BOB, 1))
        ]
        for client in self.clients:
            self.connect(client)

    @property
    def records(self) -> list[Record]:
        return self.log.records[0]

    # Processes.

    def _gateway(self, skew_ms: int) -> Gateway:
        return start_gateway(self.log, self.archive, self.now_ms, skew_ms)

    def replace_gateway(self, number: int, skew_ms: int) -> None:
        """Ends a gateway, starts another in its place, and reconnects its clients."""
        clients = [client for client in self.clients if client.gateway == number]
        for client in clients:
            self.disconnect(client)
        self.retired.append(self.gateways[number])
        self.gateways[number] = self._gateway(skew_ms)
        for client in clients:
            self.connect(client)

    def read(self, number: int, most: int) -> None:
        """Has a gateway read some records, and its clients take what it pushes."""
        gateway = self.gateways[number]
        offset = gateway.feed.offsets[0]
        gateway.apply(self.records[offset : offset + most])
        for client in self.clients:
            if client.gateway == number:
                self.take(client)

    def store(self, most: int) -> None:
        """Stores a batch, as the persister."""
        records = self.records[self.archive.offset : self.archive.offset + most]
        if records:
            self.archive.store(records)

    def relay(self) -> None:
        """Relays to the log what PostgreSQL has promised it."""
        for entry in self.promised:
            self.log.append(entry)
        self.promised.clear()

    # Clients.

    def connect(self, client: Client) -> None:
        """Connects a client with its token, and brings it to the present."""
        gateway = self.gateways[client.gateway]
        access = []
        for (conversation, name), place in self.places.items():
            if name == client.somebody.name and place.active:
                right = in_group(client.somebody) if conversation == TEA else direct(client.somebody, PEERS[name])
                access.append((right, place.version))
        if client.token is not None:
            self._tell_archived(client, gateway)
        client.connect(gateway.hub, access)
        if client.token is None:
            client.token = gateway.feed.offsets[0]
        else:
            replays = Replays(gateway.feed, Tokens(gateway.feed, SECRET), CannedDatabase(), REPLAY)
            asyncio.run(client.replay(replays))
        self.take(client)

    def _tell_archived(self, client: Client, gateway: Gateway) -> None:
        """Tells what lies before the gateway's memory as the archive has it, and waits for the archive like a reset."""
        begins = gateway.feed.recent.begins[0]
        if client.token is None or client.token >= begins:
            return
        while self.archive.offset < begins:
            self.store(5)
        for key, message in self.archive.messages.items():
            if message.changed >= client.token:
                client.take_state(key, message)
        client.token = begins

    def disconnect(self, client: Client) -> None:
        """Ends a connection: what is unanswered will be sent again."""
        client.disconnect(self.gateways[client.gateway].hub)

    def take(self, client: Client) -> None:
        """Has the client take what has come."""
        gateway = self.gateways[client.gateway]
        for request, frame in client.take(gateway.feed.offsets[0]):
            self.answers.append((request, frame))

    def give_up(self, client: Client) -> None:
        """Answers `unknown` to all that waits, as after a deadline."""
        gateway = self.gateways[client.gateway]
        for request in client.give_up():
            gateway.pending.take(request.own_id)

    # Requests.

    def name(self) -> str:
        """Returns a fresh client_id, the same whenever the same steps are taken."""
        self.named += 1
        time = self.now_ms.to_bytes(6, "big").hex()
        return f"{time[:8]}-{time[8:]}-7000-8000-{self.named:012x}"

    def say(self, client: Client, conversation: UUID, content: str, *, fly: bool) -> None:
        """Sends a message."""
        name = client.somebody.name
        access = in_group(client.somebody) if conversation == TEA else direct(client.somebody, PEERS[name])
        event = posted(access, content, client_id=self.name(), now_ms=self.now_ms)
        self.ask(client, Request(conversation, event.client_id, UUID(event.id).bytes, said=event), fly=fly)

    def change(self, client: Client, target: str, conversation: UUID, wish: Wish, *, fly: bool) -> None:
        """Asks for a change of a message."""
        client_id = self.name()
        own_id = message_id(conversation.bytes, client.somebody.id.bytes, client_id)
        self.ask(client, Request(conversation, client_id, own_id, target=target, wish=wish), fly=fly)

    def ask(self, client: Client, request: Request, *, fly: bool) -> None:
        """Checks a request as the gateway does, and appends its record now or, if it flies, later."""
        gateway = self.gateways[client.gateway]
        unread = self.records[gateway.feed.offsets[0] :]
        if request in client.asked and request.said is not None and request.said.content == POISON:
            return  # the archive, which refused it once, would not know it as a copy
        client.asked.append(request)
        if client.outbox is None or (unread and self.now_ms - unread[0].time_ms > BEHIND_MS):
            client.again.append(request)
            return
        entry = self._check_send(client, request) if request.said is not None else self._check(client, gateway, request)
        place = self.places.get((request.conversation, client.somebody.name))
        if entry is None or place is None or not place.active or place.blocked:
            return
        re = client.wait(request)
        wait_for(entry, gateway.pending, client.outbox, re)
        if fly:
            self.flying.append((self.now_ms, entry))
        else:
            self.log.append(entry)

    def _check_send(self, client: Client, request: Request) -> Entry | None:
        """Does what `gateway.sending` does: looks an old client_id up, once the archive has all."""
        assert request.said is not None
        if not is_fresh(request.client_id, self.now_ms):
            self.store(10_000)
            known = self.archive.own.get(request.own_id)
            if known is not None:
                ok = {"id": request.said.id, "position": f"1:0:{known[0]}", "duplicate": True}
                client.take_ok(request, ok)
                self.answers.append((request, {"ok": ok}))
            if known is not None:
                return None
        return entry_of(request.said)

    def _check(self, client: Client, gateway: Gateway, request: Request) -> Entry | None:
        """Does what `gateway.changing` does with PostgreSQL, and answers what is known already."""
        assert request.wish is not None
        at_ms, read = self.now_ms + gateway.skew_ms, gateway.feed.offsets[0]
        while self.archive.offset < read:
            self.store(3)
        kind = "group" if request.conversation == TEA else "direct"
        place = self.places[request.conversation, client.somebody.name]
        unannounced = WHOLE_MESSAGE.to_bytes() + uuid_bytes(request.target)
        facts = self.archive.facts(
            request.target, client.somebody, place, kind,
            unannounced=any(entry.judge.startswith(unannounced) for entry in self.promised),
        )  # fmt: skip
        if facts is None:
            return None
        own_id = identify_change(facts, request.client_id)
        if not is_fresh(request.client_id, at_ms) and own_id in self.archive.own:
            self._answer_refused(client, request, own_id, Conflict("known"))
            return None
        try:
            check: Callable[..., None] = vars(changing)["check_facts"]  # as it may be planted
            check(request.wish, facts, now_ms=at_ms, edit_window_s=0)
        except KlatschError as error:
            self._answer_refused(client, request, own_id, error)
            return None
        _, entry = make_change(
            facts=facts, wish=request.wish, client_id=request.client_id, epoch=1, checked_at_ms=at_ms, now_ms=at_ms
        )
        return entry

    def _answer_refused(self, client: Client, request: Request, own_id: bytes, error: KlatschError) -> None:
        known = self.archive.own.get(own_id)
        if (
            known is not None
            and request.wish is not None
            and known[1] == digest_of(request.wish) + uuid_bytes(request.target)
        ):
            ok = {"id": uuid_text(own_id), "position": f"1:0:{known[0]}", "duplicate": True}
            client.take_ok(request, ok)
            self.answers.append((request, {"ok": ok}))
        else:
            self.answers.append((request, {"err": {"code": error.code, "checked": True}}))

    # What else happens.

    def move(self, conversation: UUID, somebody: Somebody, change: Callable[[Place], None]) -> None:
        """Changes a membership in PostgreSQL, which promises a record."""
        place = self.places[conversation, somebody.name]
        before = (place.active, place.role, place.blocked)
        change(place)
        if (place.active, place.role, place.blocked) == before:
            return
        place.version += 1
        told: list[Membership] = [place.told(somebody)]
        kind: ConversationKind = "group" if conversation == TEA else "direct"
        self.promised.append(members(*told, conversation=conversation, kind=kind))

    def land(self, number: int) -> None:
        """Lands a record that flies, if it is a change: writers give messages up after a deadline."""
        if self.flying:
            since_ms, entry = self.flying.pop(number % len(self.flying))
            if entry.judge[0] > 2 or self.now_ms - since_ms < DEADLINE_MS:
                self.log.append(entry)

    def copy(self, number: int) -> None:
        """Appends a record of any age again; a message only within the time that D3 grants."""
        first: dict[bytes, int] = {}
        for record in self.records:
            first.setdefault(record.judge[1:17], record.time_ms)
        told = [
            r for r in self.records
            if r.judge and POISON.encode() not in r.value
            and (r.judge[0] > 2 or self.now_ms - first[r.judge[1:17]] < COPY_MS)
        ]  # fmt: skip
        if told:
            record = told[number % len(told)]
            self.log.append(Entry(record.key, record.value, record.judge))

    def retry_dead_letter(self) -> None:
        """Stores a dead letter, as an operator does, and a record tells of it."""
        if self.archive.dead:
            row = self.archive.dead.pop()
            self.archive.add(row)
            self.promised.append(
                change_of(row.event, row.event.content, position=f"1:0:{row.record.offset}", actor=None)
            )
