"""The op `mark` at a gateway: the first one asks the archive, the others are answered from memory (D19)."""

from dataclasses import dataclass
from typing import Any

import pytest

from klatsch.archive.markers import StoredMarker
from klatsch.core.errors import BadRequest, NotFound
from klatsch.eventlog.places import Position
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.requests import MarkBody, MarkFrame
from klatsch.gateway.outbox import Outbox
from tests.support.gateway_parts import Parts
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, TEA, in_group, marked, message

FIRST = Position(1, 0, 0)


def stored(*, last: Position | None = FIRST, **fields: Any) -> StoredMarker:
    values: dict[str, Any] = {"delivered": None, "read": None, "unread_from": None} | fields
    return StoredMarker(user="bob", member_count=2, is_shown=True, epoch=1, partitions=1, last=last, **values)


@dataclass
class Chat:
    """Bob's connection, beside one of Ana."""

    parts: Parts
    person: ConnectedPerson
    outbox: Outbox
    peer: Peer
    ana: Peer

    @classmethod
    def of(cls) -> "Chat":
        parts = Parts()
        peers = [Peer(), Peer()]
        people = []
        for somebody, peer in zip((BOB, ANA), peers, strict=True):
            outbox = Outbox(peer, parts.hub.dirty, 2**20)
            person = parts.hub.join(somebody.user_id, somebody.name, outbox)
            parts.hub.admit(person, in_group(somebody), 1)
            people.append((person, outbox))
        return cls(parts, *people[0], *peers)

    async def mark(self, re: int = 1, **fields: Any) -> list[dict[str, Any]]:
        body: dict[str, Any] = {"conversation": str(TEA)} | fields
        await self.parts.mark_op.mark(self.person, self.outbox, MarkFrame(id=re, d=MarkBody(**body)))
        return self.peer.read()

    def say(self, times: int = 1) -> None:
        for _ in range(times):
            self.parts.log.append(message(in_group(ANA)))
        self.parts.read_log()
        self.peer.read()
        self.ana.read()


async def test_a_text_that_is_no_id_names_no_conversation() -> None:
    chat = Chat.of()
    for text in ("x", str(TEA).upper()):
        with pytest.raises(NotFound):
            await chat.mark(conversation=text, read=str(FIRST))

    assert chat.parts.database.asked == 0


async def test_it_is_answered_at_once_and_others_are_told_by_the_log() -> None:
    chat = Chat.of()
    chat.say()
    chat.parts.database.answers = [stored()]
    assert await chat.mark(7, read="1:0:0") == [{"re": 7, "ok": {"delivered": "1:0:0", "read": "1:0:0"}}]
    assert chat.ana.read() == []
    chat.parts.read_log()
    [push] = chat.ana.read()
    assert (push["t"], push["d"]["user"], push["d"]["read"]) == ("marker", "bob", "1:0:0")


async def test_only_the_first_mark_of_a_conversation_asks_the_archive() -> None:
    chat = Chat.of()
    chat.say(3)
    chat.parts.database.answers = [stored()]
    for offset in range(3):
        await chat.mark(read=f"1:0:{offset}")
    assert chat.parts.database.asked == 1


async def test_it_is_never_answered_with_less_than_the_archive_or_the_log_has() -> None:
    chat = Chat.of()
    chat.say(6)
    chat.parts.database.answers = [stored(read=Position(1, 0, 3), delivered=Position(1, 0, 3))]
    [answer] = await chat.mark(read="1:0:1")
    assert answer["ok"]["read"] == "1:0:3"
    chat.parts.log.append(marked(BOB, read="1:0:4"))
    chat.parts.read_log()
    chat.peer.read()
    [answer] = await chat.mark(read="1:0:2")
    assert answer["ok"]["read"] == "1:0:4"


async def test_a_position_beyond_the_last_message_is_asked_for_once_and_clamped() -> None:
    chat = Chat.of()
    chat.say(2)
    chat.parts.database.answers = [stored(), stored()]
    [answer] = await chat.mark(read="1:0:900")
    assert (answer["ok"]["read"], chat.parts.database.asked) == ("1:0:1", 2)


async def test_a_message_that_memory_has_dropped_is_found_in_the_archive() -> None:
    chat = Chat.of()
    chat.parts.database.answers = [stored(last=Position(1, 0, 5)), stored(last=Position(1, 0, 9))]
    await chat.mark(read="1:0:5")
    [answer] = await chat.mark(read="1:0:9")
    assert answer["ok"]["read"] == "1:0:9"


async def test_who_is_no_member_gets_what_a_stranger_gets() -> None:
    chat = Chat.of()
    chat.parts.hub.expel(chat.person, str(TEA).encode(), 2)
    chat.parts.database.answers = [None]
    with pytest.raises(NotFound):
        await chat.mark(read="1:0:0")
    for conversation in ("", "no id", "é"):
        with pytest.raises(NotFound):
            await chat.mark(conversation=conversation, read="1:0:0")


async def test_a_removed_person_is_asked_for_again_though_their_marker_is_held() -> None:
    chat = Chat.of()
    chat.say()
    chat.parts.database.answers = [stored(), None]
    await chat.mark(read="1:0:0")
    chat.parts.hub.expel(chat.person, str(TEA).encode(), 2)
    with pytest.raises(NotFound):
        await chat.mark(read="1:0:0")


async def test_a_wrong_position_is_refused_before_anything_is_asked() -> None:
    chat = Chat.of()
    with pytest.raises(BadRequest):
        await chat.mark(read="1:5:0")
    assert chat.parts.database.asked == 0
