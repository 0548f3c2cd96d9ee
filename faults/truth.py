"""Judges the log from its beginning by the rules of protocol.md, without Klatsch's code."""

import json
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from faults.evidence import LogRecord
from faults.folding import CHANGES, DELETED, EDITED, PINNED, REACTION, State, body_of

_MEMBERS = "members:"
_MESSAGE = "01"
_ID, _SENDER = slice(2, 34), slice(34, 66)
_KEY_LENGTH = 36
_CHANGE_KINDS = dict(zip(("03", "04", "05", "06"), CHANGES, strict=True))
_TARGET, _CHECK = slice(98, 130), slice(130, 164)
_NO_BASE = -2
_SETTINGS = (REACTION, PINNED)
_BY_ROLE = 1
_LATE_MS = 60_000


class Message(NamedTuple):
    """A message in force: the record of its id at the lowest offset that is not void."""

    partition: int
    offset: int
    id: str
    conversation: str
    sender_id: str
    client_id: str
    hash: str
    mention_ids: frozenset[str] = frozenset()


class Change(NamedTuple):
    """A change that counts. `effective` unless the message was so before."""

    partition: int
    offset: int
    id: str
    conversation: str
    target: str
    what: str
    body: str
    effective: bool


class Standing(NamedTuple):
    """A person's membership or absence in a conversation from an offset on; `version` is the record's."""

    offset: int
    version: int
    active: bool
    role: str = ""
    blocked: bool = False


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
    changes: dict[str, Change] = field(default_factory=dict)
    change_at: dict[tuple[int, int], Change] = field(default_factory=dict)
    states: dict[str, dict[int, State]] = field(default_factory=dict)
    """The states of each message, by the offset from which it has it."""
    edits: dict[str, int] = field(default_factory=dict)
    mentions: dict[str, frozenset[str]] = field(default_factory=dict)
    """The ids of the people whom each message mentions, as it is at the end."""

    def named_twice(self) -> Iterator[tuple[Message, Message]]:
        """Yields pairs of messages that one sender named alike in a conversation."""
        first: dict[tuple[str, str, str], Message] = {}
        for message in self.messages.values():
            named = message.conversation, message.sender_id, message.client_id
            if first.setdefault(named, message) is not message:
                yield first[named], message

    def last_state(self, message_id: str) -> tuple[int, State]:
        """Returns the offset of a message's last change, and what it is since."""
        return next(reversed(self.states[message_id].items()))

    def position(self, message: Message | Change) -> str:
        return f"{self.epoch}:{message.partition}:{message.offset}"

    def between(self, conversation: str, begin: int, end: int) -> Sequence[Message]:
        """Returns a conversation's messages from one offset to before another."""
        messages = self.by_conversation.get(conversation, [])
        return messages[bisect_left(messages, begin, key=offset_of) : bisect_left(messages, end, key=offset_of)]

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

    def is_always_in(self, conversation: str, user_id: str) -> bool:
        """Returns whether the person was a member all the time."""
        standings = self.standings.get((conversation, user_id), ())
        return bool(standings) and all(standing.active for standing in standings)

    def may_always_write(self, conversation: str, user_id: str) -> bool:
        """Returns whether the person was always a member, where nobody was blocked: who blocks is refused too."""
        blocked = (
            standing.blocked
            for (where, _), standings in self.standings.items() if where == conversation
            for standing in standings
        )  # fmt: skip
        return self.is_always_in(conversation, user_id) and not any(blocked)

    def conversations_of(self, user_id: str) -> list[str]:
        return [conversation for conversation, person in self.standings if person == user_id]


def offset_of(message: Message) -> int:
    return message.offset


def judge_log(epoch: int, records: Iterable[LogRecord]) -> Truth:
    """Judges each partition's records in order; the order of the partitions does not matter."""
    truth = Truth(epoch)
    for record in records:
        if record.key.startswith(_MEMBERS):
            _take_members(truth, record)
        elif len(record.key) == _KEY_LENGTH and record.judge.startswith(_MESSAGE):
            _take_message(truth, record)
        elif len(record.key) == _KEY_LENGTH and record.judge[:2] in _CHANGE_KINDS:
            _take_change(truth, record, _CHANGE_KINDS[record.judge[:2]])
    return truth


def _take_members(truth: Truth, record: LogRecord) -> None:
    body = json.loads(record.value)
    conversation = body["conversation"]
    truth.partition_of[conversation] = record.partition
    for member in body["members"]:
        known = truth.standings.setdefault((conversation, member["user_id"]), [])
        if not known or member["version"] > known[-1].version:
            known.append(_standing(record.offset, member))


def _standing(offset: int, member: dict[str, Any]) -> Standing:
    return Standing(offset, member["version"], member["active"], member.get("role", ""), member.get("blocked", False))


def _take_message(truth: Truth, record: LogRecord) -> None:
    message_id, sender_id = str(UUID(hex=record.judge[_ID])), str(UUID(hex=record.judge[_SENDER]))
    standing = truth.standing_at(record.key, sender_id, record.offset)
    if message_id in truth.messages or message_id in truth.changes:
        truth.copies += 1
    elif standing is not None and (not standing.active or standing.blocked):
        truth.voided.add(message_id)
    else:
        message = Message(
            record.partition, record.offset, message_id, record.key, sender_id, record.client_id, record.hash,
            frozenset(record.mention_ids),
        )  # fmt: skip
        truth.messages[message_id] = message
        truth.states[message_id] = {record.offset: State(record.hash)}
        truth.mentions[message_id] = message.mention_ids
        truth.by_conversation.setdefault(record.key, []).append(message)
        truth.partition_of[record.key] = record.partition


def _take_change(truth: Truth, record: LogRecord, what: str) -> None:
    own_id = str(UUID(hex=record.judge[_ID]))
    if own_id in truth.messages or own_id in truth.changes:
        truth.copies += 1
        return
    target, told = str(UUID(hex=record.judge[_TARGET])), json.loads(record.value)
    if target not in truth.states:
        return  # no such message before it in its partition: the persister sets it aside
    _, state = truth.last_state(target)
    if _is_void(truth, record, what, target, state):
        return
    body = body_of(what, told)
    after = state.after(what, body)
    effective = after != state or what not in _SETTINGS
    change = Change(record.partition, record.offset, own_id, record.key, target, what, body, effective)
    truth.changes[own_id] = truth.change_at[record.partition, record.offset] = change
    if effective:
        truth.states[target][record.offset] = after
    if what == EDITED:
        truth.edits[target] = record.offset
        truth.mentions[target] = frozenset(told.get("mention_ids", ()))
    elif what == DELETED:
        truth.mentions[target] = frozenset()


def _is_void(truth: Truth, record: LogRecord, what: str, target: str, state: State) -> bool:
    at_ms, base, flags = struct.unpack(">qqB", bytes.fromhex(record.judge[_CHECK]))
    standing = truth.standing_at(record.key, str(UUID(hex=record.judge[_SENDER])), record.offset)
    if abs(record.time_ms - at_ms) > _LATE_MS or state.deleted:
        return True
    if standing is not None and (not standing.active or standing.blocked):
        return True
    if flags & _BY_ROLE and standing is not None and standing.role == "member":
        return True
    return what == EDITED and base != _NO_BASE and truth.edits.get(target, -1) > base
