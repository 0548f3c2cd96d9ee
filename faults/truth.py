"""Judges the log from its beginning by the rules of protocol.md, without Klatsch's code."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from faults.evidence import LogRecord

_MEMBERS = "members:"
_MESSAGE = "01"
_ID, _SENDER = slice(2, 34), slice(34, 66)
_KEY_LENGTH = 36


class Message(NamedTuple):
    """A message in force: the record of its id at the lowest offset that is not void."""

    partition: int
    offset: int
    id: str
    conversation: str
    sender_id: str
    client_id: str
    hash: str


class Standing(NamedTuple):
    """A person's membership or absence in a conversation from an offset on; `version` is the record's."""

    offset: int
    version: int
    active: bool


@dataclass(slots=True)
class Truth:
    """The judged log. `by_conversation` is in order. `voided` are ids of void records; some are in force later."""

    epoch: int
    messages: dict[str, Message] = field(default_factory=dict)
    by_conversation: dict[str, list[Message]] = field(default_factory=dict)
    partition_of: dict[str, int] = field(default_factory=dict)
    standings: dict[tuple[str, str], list[Standing]] = field(default_factory=dict)
    copies: int = 0
    voided: set[str] = field(default_factory=set)

    def named_twice(self) -> Iterator[tuple[Message, Message]]:
        """Yields pairs of messages that one sender named alike in a conversation."""
        first: dict[tuple[str, str, str], Message] = {}
        for message in self.messages.values():
            named = message.conversation, message.sender_id, message.client_id
            if first.setdefault(named, message) is not message:
                yield first[named], message

    def position(self, message: Message) -> str:
        return f"{self.epoch}:{message.partition}:{message.offset}"

    def between(self, conversation: str, begin: int, end: int) -> Sequence[Message]:
        """Returns a conversation's messages from one offset to before another."""
        messages = self.by_conversation.get(conversation, [])
        return messages[bisect_left(messages, begin, key=_offset) : bisect_left(messages, end, key=_offset)]

    def is_in(self, conversation: str, user_id: str, offset: int) -> bool:
        """Returns whether the last record before that offset makes the person a member."""
        return (found := self.standing_at(conversation, user_id, offset)) is not None and found.active

    def standing_at(self, conversation: str, user_id: str, offset: int) -> Standing | None:
        found = None
        for standing in self.standings.get((conversation, user_id), ()):
            if standing.offset >= offset:
                break
            found = standing
        return found

    def conversations_of(self, user_id: str) -> list[str]:
        return [conversation for conversation, person in self.standings if person == user_id]


def _offset(message: Message) -> int:
    return message.offset


def judge_log(epoch: int, records: Iterable[LogRecord]) -> Truth:
    """Judges each partition's records in order; the order of the partitions does not matter."""
    truth = Truth(epoch)
    for record in records:
        if record.key.startswith(_MEMBERS):
            _take_members(truth, record)
        elif len(record.key) == _KEY_LENGTH and record.judge.startswith(_MESSAGE):
            _take_message(truth, record)
    return truth


def _take_members(truth: Truth, record: LogRecord) -> None:
    body = json.loads(record.value)
    conversation = body["conversation"]
    truth.partition_of[conversation] = record.partition
    for member in body["members"]:
        known = truth.standings.setdefault((conversation, member["user_id"]), [])
        if not known or member["version"] > known[-1].version:
            known.append(Standing(record.offset, member["version"], member["active"]))


def _take_message(truth: Truth, record: LogRecord) -> None:
    message_id, sender_id = str(UUID(hex=record.judge[_ID])), str(UUID(hex=record.judge[_SENDER]))
    standing = truth.standing_at(record.key, sender_id, record.offset)
    if message_id in truth.messages:
        truth.copies += 1
    elif standing is not None and not standing.active:
        truth.voided.add(message_id)
    else:
        message = Message(
            record.partition, record.offset, message_id, record.key, sender_id, record.client_id, record.hash
        )
        truth.messages[message_id] = message
        truth.by_conversation.setdefault(record.key, []).append(message)
        truth.partition_of[record.key] = record.partition
