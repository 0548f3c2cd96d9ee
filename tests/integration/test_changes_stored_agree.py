"""Logs that the world in memory has made, stored in PostgreSQL in batches of any size: the documented outcome (D18)."""

import json
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from klatsch.archive.histories import list_messages
from klatsch.archive.models import Change, DeadLetter
from klatsch.conversations.models import Conversation
from klatsch.eventlog.log import Record
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from tests.integration.shelf import EPOCH, Shelf
from tests.support.records import TEA
from tests.unit.changes_archive import POISON
from tests.unit.changes_model import Message, Reader
from tests.unit.changes_world import TALK
from tests.unit.test_changes_agree import STEPS, play

pytestmark = pytest.mark.django_db(transaction=True)
SEEDS = range(12)


@pytest.fixture(autouse=True)
def talk(world: None) -> None:
    """Makes the direct conversation of the world in memory, beside the group."""
    Conversation.objects.create(id=TALK, kind="direct")


def log_of(seed: int) -> list[Record]:
    """Returns a log that gateways and clients have made, without dead letters: PostgreSQL refuses none here."""
    numbers = random.Random(seed)
    acts = [
        (
            numbers.choice(STEPS),
            (numbers.randint(0, 30), numbers.randint(0, 30), numbers.randint(0, 30), numbers.randint(0, 30)),
        )
        for _ in range(150)
    ]
    records = play(acts).records
    refused = {json.loads(record.value)["id"] for record in records if POISON.encode() in record.value}
    records = [record for record in records if json.loads(record.value).get("id") not in refused]
    return [msgspec.structs.replace(record, offset=offset) for offset, record in enumerate(records)]


def seen(message: dict[str, Any]) -> dict[str, Any]:
    pairs = [(emoji, name) for emoji, names in message["reactions"].items() for name in names]
    assert {emoji: len(names) for emoji, names in message["reactions"].items()} == message["reaction_counts"]
    it = Message(message["content"], 0, deleted=message["deleted"], pinned=message["pinned_at"] is not None)
    it.reactions = set(pairs)
    return it.seen() | {"changed": message["changed"]}


def archived() -> dict[str, dict[str, Any]]:
    views = [one for name in (TEA, TALK) for one in list_messages(conversation_id=name, limit=1_000)]
    return {one.id: seen(json.loads(msgspec.json.encode(one))) for one in views}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_archive_comes_to_the_documented_outcome(seed: int, connection: Connection) -> None:
    records, sizes = log_of(seed), random.Random(seed)
    shelf, reader = Shelf(Archive(connection, EPOCH)), Reader()
    while left := records[shelf.next_offset :]:
        shelf.store(left[: sizes.randint(1, 40)])
    for record in records:
        reader.read(record)

    assert archived() == {
        key: message.seen() | {"changed": f"1:0:{message.changed}"} for key, message in reader.messages.items()
    }
    stands = {offset for offset, verdict in reader.verdicts.items() if verdict in {"in force", "no effect"}}
    assert set(Change.objects.values_list("offset", flat=True)) == stands & _changes(records)
    assert not DeadLetter.objects.exists()


def _changes(records: Sequence[Record]) -> set[int]:
    return {record.offset for record in records if len(record.judge) == 82}
