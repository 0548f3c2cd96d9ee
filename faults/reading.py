"""Checks I2 of mentions, markers and unread counts: the archive and the lists of conversations say what the log says.

A marker's outcome does not depend on batches if it is compared by numbers of messages, not by offsets.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from uuid import UUID

from faults.contradiction import Contradiction
from faults.evidence import Evidence, LogRecord, MarkerRow, MentionRow
from faults.history import Listed, ListShown, place
from faults.truth import Truth, offset_of

_MARKER = "07"
_ACTOR = slice(34, 66)
_COUNTED_MOST = 1_000
_LOOKED_AT_MOST = 2_000


@dataclass(slots=True)
class Progress:
    """The highest offsets that a person has received and read in a conversation; -1 for nowhere."""

    delivered: int = -1
    read: int = -1


@dataclass(slots=True)
class Reading:
    """Everybody's markers by the log, by conversation and person."""

    truth: Truth
    markers: dict[tuple[str, str], Progress] = field(default_factory=dict)

    def number_at(self, conversation: str, offset: int) -> int:
        """Returns the number of the last message up to that offset."""
        return bisect_right(self.truth.by_conversation.get(conversation, []), offset, key=offset_of)

    def read_number(self, conversation: str, user_id: str) -> int:
        """Returns the number up to which all counts as read: that of the marker, or of the last addition."""
        messages = self.truth.by_conversation.get(conversation, [])
        standings = self.truth.standings.get((conversation, user_id), ())
        added = [later.offset for earlier, later in pairwise([None, *standings])
                 if later is not None and later.active and (earlier is None or not earlier.active)]  # fmt: skip
        begun = bisect_left(messages, added[-1], key=offset_of) if added else 0
        marker = self.markers.get((conversation, user_id), Progress())
        return max(begun, self.number_at(conversation, marker.read))


def read_markers(log: Sequence[LogRecord], truth: Truth) -> Reading:
    """Folds the markers of the log: the highest of each counts, and a removed person's do not."""
    reading = Reading(truth)
    for record in log:
        if not record.judge.startswith(_MARKER):
            continue
        user_id = str(UUID(hex=record.judge[_ACTOR]))
        standing = truth.standing_at(record.key, user_id, record.offset)
        if standing is None or standing.active:
            told, marker = json.loads(record.value), reading.markers.setdefault((record.key, user_id), Progress())
            marker.delivered = max(marker.delivered, _offset(told.get("delivered")))
            marker.read = max(marker.read, _offset(told.get("read")))
    return reading


def _offset(position: str | None) -> int:
    return -1 if position is None else place(position)[2]


def in_reading(evidence: Evidence, truth: Truth) -> Iterator[Contradiction]:
    """Yields each archived mention and marker, and each listed number, that the log does not say."""
    reading = read_markers(evidence.log, truth)
    yield from _mentions(evidence.mentions, truth)
    yield from _markers(evidence.markers, reading)
    for client, events in evidence.histories.items():
        user_id = evidence.about.user_id_of(client)
        for event in events:
            if isinstance(event, ListShown):
                yield from _listed(client, user_id, event.conversations, reading)


def _mentions(rows: Sequence[MentionRow], truth: Truth) -> Iterator[Contradiction]:
    numbers = _numbers(truth)
    wanted = {(message, user, numbers[message]) for message, users in truth.mentions.items() for user in users}
    found = {(row.message_id, row.user_id, row.seq) for row in rows}
    for message, user, seq in sorted(wanted - found):
        yield Contradiction("I2", "lost", f"mentioned, and not archived: {user} in {message}, number {seq}")
    for message, user, seq in sorted(found - wanted):
        yield Contradiction("I2", "mixed up", f"archived, and not mentioned: {user} in {message}, number {seq}")


def _numbers(truth: Truth) -> Mapping[str, int]:
    return {
        message.id: number
        for messages in truth.by_conversation.values()
        for number, message in enumerate(messages, 1)
    }  # fmt: skip


def _markers(rows: Sequence[MarkerRow], reading: Reading) -> Iterator[Contradiction]:
    for row in rows:
        said = reading.markers.get((row.conversation, row.user_id), Progress())
        wanted = (
            reading.number_at(row.conversation, said.delivered),
            reading.number_at(row.conversation, said.read),
            reading.read_number(row.conversation, row.user_id),
        )
        delivered, read = (reading.number_at(row.conversation, offset) for offset in (row.delivered, row.read))
        if (delivered, read, row.read_seq) != wanted:
            yield Contradiction("I2", "mixed up", f"a marker is archived otherwise than at {wanted}: {row}")
    for conversation, user_id in sorted(reading.markers.keys() - {(row.conversation, row.user_id) for row in rows}):
        yield Contradiction("I2", "lost", f"a marker is not archived: {user_id} in {conversation}")


def _listed(client: str, user_id: str, shown: Sequence[Listed], reading: Reading) -> Iterator[Contradiction]:
    for one in shown:
        wanted = _counts(one.conversation, user_id, reading)
        if (one.unread, one.mentions) != wanted:
            yield Contradiction("I2", "mixed up", f"{client}: unread and mentions are {wanted}, and were told: {one}")
        marker = reading.markers.get((one.conversation, user_id), Progress())
        numbers = [
            (reading.number_at(one.conversation, _offset(told or None)), reading.number_at(one.conversation, said))
            for told, said in ((one.delivered, marker.delivered), (one.read, marker.read))
        ]
        if any(told != said for told, said in numbers):
            yield Contradiction("I2", "mixed up", f"{client}: the marker is {marker}, and was told: {one}")


def _counts(conversation: str, user_id: str, reading: Reading) -> tuple[int | str, int]:
    """Returns the unread messages and mentions of a person, as protocol.md counts them."""
    truth, first = reading.truth, reading.read_number(conversation, user_id)
    later = truth.by_conversation.get(conversation, [])[first:]
    unread = sum(one.sender_id != user_id and not truth.last_state(one.id)[1].deleted for one in later)
    mentions = sum(user_id in truth.mentions.get(one.id, ()) for one in later)
    too_many = unread > _COUNTED_MOST or len(later) > _LOOKED_AT_MOST
    return f"{_COUNTED_MOST}+" if too_many else unread, min(mentions, _COUNTED_MOST)
