"""Of the records of groups, a process looks into those of its members' groups."""

from dataclasses import dataclass
from typing import Any

import pytest

from channels_kafka_layer import records
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.following import Following
from channels_kafka_layer.node import Node, Settings
from channels_kafka_layer.normal_channels import NormalChannels
from channels_kafka_layer.records import head, key_of, pack_fields, pack_group
from channels_kafka_layer.waiting import Waiter

LIFE_MS = 60_000
OTHER = b"other-00"


@dataclass
class Fetched:
    """A record as the driver hands it over: key, value, offset and time."""

    written: tuple[bytes, bytes, int, int]

    def key(self) -> bytes:
        return self.written[0]

    def value(self) -> bytes:
        return self.written[1]

    def offset(self) -> int:
        return self.written[2]

    def timestamp(self) -> tuple[int, int]:
        return 2, self.written[3]


class Process:
    """A node that reads a log in memory, and has begun to follow the normal channels."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node = Node(Settings(Connection("nowhere:1", "channels"), 60, 30, lambda _: 100, False, None))
        monkeypatch.setattr(self.node.sender, "send", self._send)
        self.now_ms = 1_000_000
        self.offset = 0
        """The latest record's offset."""
        self._sent: list[tuple[bytes, bytes]] = []
        self.node.following.begin(0.0, Waiter())
        self.read_own()

    def read(self, key: bytes, payload: bytes, sender: bytes = OTHER) -> None:
        self.node.take(self._fetched(key, payload, sender))

    def read_own(self) -> None:
        """Reads what the node has sent."""
        sent, self._sent = self._sent, []
        for key, payload in sent:
            self.read(key, payload, self.node.id)

    def read_back(self, key: bytes, payload: bytes) -> None:
        self.node.replay(self._fetched(key, payload, OTHER))

    def join(self, group: str, channel: str = "tasks") -> None:
        self.read(key_of(records.JOIN, channel), pack_fields(group, LIFE_MS, 100))

    def renew(self, group: str, channel: str = "tasks") -> None:
        self.read(key_of(records.RENEW, channel), pack_fields(group, LIFE_MS, 100))

    def leave(self, group: str, channel: str = "tasks") -> None:
        self.read(key_of(records.LEAVE, channel), pack_fields(group))

    def looks_into(self, group: str) -> bool:
        """Returns whether a message to a group is more to the node than a key: its sender is then known."""
        sender = b"%08d" % self.offset
        self.read(key_of(records.GROUP, group), pack_group(LIFE_MS, b"body"), sender)
        return sender in self.node._highest

    def _fetched(self, key: bytes, payload: bytes, sender: bytes) -> Any:
        self.offset += 1
        return [Fetched((key, head(sender, self.offset) + payload, self.offset, self.now_ms))]

    def _send(self, key: bytes, payload: bytes, waiter: Waiter[None] | None = None) -> None:  # noqa: ARG002 - Sender's
        self._sent.append((key, payload))


@pytest.fixture
async def newcomer(monkeypatch: pytest.MonkeyPatch) -> Process:
    """Returns a process that has yet to read back."""
    return Process(monkeypatch)


@pytest.fixture
def process(newcomer: Process) -> Process:
    """Returns a process that knows the state: the log was silent."""
    newcomer.node.end_replay()
    assert newcomer.node.following.is_agreed
    return newcomer


def test_a_group_that_a_normal_channel_has_left_is_looked_into_no_more(process: Process) -> None:
    assert not process.looks_into("g")
    process.join("g")
    process.join("h")
    assert process.looks_into("g")
    process.leave("g")
    assert not process.looks_into("g")
    assert process.looks_into("h")


def test_a_repetition_after_the_departure_makes_nobody_look_into_the_group(process: Process) -> None:
    process.join("g")
    process.leave("g")
    process.renew("g")
    assert not process.looks_into("g")


def test_a_newcomer_looks_into_a_group_of_which_it_reads_a_repetition_while_it_asks(newcomer: Process) -> None:
    newcomer.read_back(key_of(records.WITHDRAW, "tasks"), pack_fields(0))
    newcomer.node.end_replay()
    assert not newcomer.node.following.is_agreed
    newcomer.renew("g")
    assert newcomer.looks_into("g")


def test_a_record_without_a_key_is_passed_over_with_those_around_it_read(process: Process) -> None:
    process.join("g")
    process.read(b"", b"of another program")
    assert process.looks_into("g")


def test_a_group_is_looked_into_until_the_last_normal_channel_has_left(process: Process) -> None:
    process.join("g", "tasks")
    process.join("g", "others")
    process.leave("g", "tasks")
    assert process.looks_into("g")
    process.leave("g", "others")
    assert not process.looks_into("g")


def test_a_newcomer_looks_into_the_groups_that_it_reads_back_or_is_told_of(newcomer: Process) -> None:
    newcomer.read_back(key_of(records.JOIN, "tasks"), pack_fields("read back", LIFE_MS, 100))
    newcomer.node.end_replay()
    assert newcomer.looks_into("read back")
    assert not newcomer.looks_into("told of")
    newcomer.read_own()
    told = NormalChannels()
    told.advance(newcomer.now_ms)
    told.join("told of", "tasks", LIFE_MS, 100)
    newcomer.read(records.STATE, pack_fields(newcomer.offset, told.snapshot()))
    assert newcomer.node.following.is_agreed
    assert newcomer.looks_into("told of")
    assert not newcomer.looks_into("read back")


def test_a_group_whose_normal_channel_is_not_heard_of_is_looked_into_no_more(process: Process) -> None:
    process.join("g")
    process.now_ms += LIFE_MS
    process.join("h")
    process.node.tick()
    assert not process.looks_into("g")
    assert process.looks_into("h")


def test_a_group_that_is_empty_after_a_flush_is_looked_into_no_more(process: Process) -> None:
    process.join("g")
    process.read(records.FLUSH, b"")
    assert not process.looks_into("g")


def test_a_group_of_an_own_channel_is_looked_into_whatever_normal_channels_do(process: Process) -> None:
    node = process.node
    process.join("g")
    node.add("g", "own!channel")
    process.leave("g")
    assert process.looks_into("g")
    process.join("g")
    node.discard("g", "own!channel")
    assert process.looks_into("g")
    process.leave("g")
    assert not process.looks_into("g")


def test_a_membership_that_is_repeated_costs_no_look_at_other_groups(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.join("g")
    process.join("h")
    looks: list[Following] = []

    def groups(following: Following) -> list[str]:
        looks.append(following)
        return ["g", "h"]

    monkeypatch.setattr(Following, "groups", groups)
    for _ in range(3):
        process.renew("g")
    assert process.looks_into("g")
    assert not looks
