"""Records that none of ours would write: each is put aside once, and its neighbours are stored and shown."""

import asyncio
import json
import time
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from msgspec import structs

from klatsch.core.ids import uuid7
from klatsch.eventlog.places import Position
from klatsch.records.header import NEW_MESSAGE, make_header
from klatsch.records.messages import MessagePosted, digest
from klatsch.records.values import encode
from tests.e2e.histories import archived
from tests.e2e.talk import Open, OpenRest, Talk
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System


class Poison(NamedTuple):
    """A record, and the reason with which it is put aside."""

    reason: str
    key: bytes | None
    value: bytes | None
    judge: bytes | None = None


async def test_records_that_are_none_of_ours_are_put_aside_once_and_skipped_by_every_gateway_alike(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, talk: Talk, connect: Open
) -> None:
    other_reader = await connect(gateway_a, talk.people[1])
    partition = Position.parse((await talk.say("good 0")).position).partition
    places: dict[tuple[int, int], str] = {}
    poisons = _poisons(talk.conversation, talk.reader.history.messages[0])
    for number, poison in enumerate(poisons, 1):
        place = system.log.append(partition, key=poison.key, value=poison.value, judge=poison.judge)
        places[place] = poison.reason
        await talk.say(f"good {number}")
    rows = await talk.check(for_a_while=[other_reader])
    good = [f"good {number}" for number in range(len(poisons) + 1)]
    assert [row.content for row in rows] == ["first", *good, "the last one"]
    await other_reader.received("the last one")
    assert other_reader.history.contents == [*good, "the last one"]
    assert _dead_letters(system, places) == places


def _poisons(conversation: str, message: dict[str, Any]) -> list[Poison]:
    key = conversation.encode()
    record = {name: message[name] for name in message if name in MessagePosted.__struct_fields__}
    record |= {"v": 1, "t": "message"}
    header = make_header(NEW_MESSAGE, uuid4().bytes, UUID(message["sender_id"]).bytes, bytes(16))

    def changed(**fields: object) -> bytes:
        return json.dumps(record | fields).encode()

    return [
        Poison("empty", key, b""),
        Poison("empty", key, None),
        Poison("bad_json", key, b"{"),
        Poison("bad_json", key, b"\xff\xfe\x00"),
        Poison("bad_json", key, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        Poison("bad_json", key, changed(content="MARK").replace(b"MARK", b"a\0b")),
        Poison("bad_json", key, changed(content="MARK").replace(b"MARK", b"\\ud800")),
        Poison("bad_record", key, changed(content="x" * 1_000_000)),
        Poison("bad_record", key, changed(t="surprise")),
        Poison("bad_record", key, changed(sender_id="ana")),
        Poison("bad_record", key, b"[]"),
        Poison("unknown_version", key, changed(v=99)),
        Poison("unknown_version", key, b"{}"),
        Poison("no_key", None, changed()),
        Poison("no_key", b"", changed()),
        Poison("unknown_key", b"klatsch", changed()),
        Poison("no_judge", key, changed()),
        Poison("no_judge", key, changed(), b"\x01 too short"),
        Poison("no_judge", key, changed(), b"\x07" * 49),
        Poison("wrong_key", b"members:" + key, _members(str(uuid4()))),
        Poison("bad_json", b"members:" + key, b"members"),
        *(
            Poison(reason, key, value, header)
            for reason, value in [
                ("bad_json", b"no JSON, under a good header"),
                ("bad_json", changed()[:-1]),
                ("bad_record", b"[]"),
                ("bad_record", changed(content=5)),
                ("mismatch", changed()),
            ]
        ),
    ]


def _members(conversation: str) -> bytes:
    return json.dumps(
        {"v": 1, "t": "members", "conversation": conversation, "kind": "group", "title": "", "members": []}
    ).encode()


async def test_messages_that_the_archive_cannot_hold_are_put_aside_and_their_neighbours_stored(
    system: System,
    gateway_a: GatewayProcess,
    persister: PersisterProcess,
    rest: OpenRest,
    ana: Person,
    bob: Person,
) -> None:
    api = rest(gateway_a, ana)
    first = await api.send(bob.username, "good 0")
    partition = Position.parse(first["position"]).partition
    await asyncio.to_thread(persister.kill)  # so that good and bad come in one batch
    places: dict[tuple[int, int], str] = {}
    poisons = [
        _judged("bad_record", first, content="a\0b"),
        _judged("unknown_conversation", first, conversation=str(uuid4())),
        _judged("unknown_sender", first, sender_id=str(uuid4())),
        _judged("mismatch", first)._replace(key=str(uuid4()).encode()),
        _judged("bad_record", first, content="\0"),
    ]
    for number, poison in enumerate(poisons, 1):
        place = system.log.append(partition, key=poison.key, value=poison.value, judge=poison.judge)
        places[place] = poison.reason
        good = _judged("", first, content=f"good {number}")
        system.log.append(partition, key=good.key, value=good.value, judge=good.judge)
    await asyncio.to_thread(persister.start)
    await asyncio.to_thread(system.wait_archived)
    rows = archived(system, first["conversation"])
    assert [(row.content, row.seq) for row in rows] == [(f"good {n}", n + 1) for n in range(len(poisons) + 1)]
    assert _dead_letters(system, places) == places


def _judged(reason: str, message: dict[str, Any], **fields: str) -> Poison:
    """Returns a record as ours are, header and all, of a new message like that one with other fields."""
    now_ms = time.time_ns() // 1_000_000
    event = MessagePosted(
        **{name: message.get(name) for name in ("conversation", "sender", "sender_id", "receiver", "content")},  # type: ignore[arg-type]  # texts, as REST gave them
        id=str(uuid4()),
        client_id=uuid7(now_ms),
        receiver_id=None,
        sent_at=message["sent_at"],
    )
    for name, value in fields.items():
        event = structs.replace(event, **{name: value})
    sender = UUID(event.sender_id).bytes
    judge = make_header(NEW_MESSAGE, UUID(event.id).bytes, sender, digest(event.content, None))
    return Poison(reason, event.conversation.encode(), encode(event), judge)


def _dead_letters(system: System, places: dict[tuple[int, int], str]) -> dict[tuple[int, int], str]:
    """Returns the reasons of the letters of these places."""
    query = 'SELECT partition, "offset", reason FROM messaging_deadletter WHERE partition = %s AND "offset" = ANY(%s)'
    [partition] = {partition for partition, _ in places}
    rows = system.rows(query, partition, [offset for _, offset in places])
    assert len(rows) == len(places)
    return {(partition, offset): reason for partition, offset, reason in rows}
