"""Feeds agree with the rules and with each other, wherever they start and however the log is cut into batches."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Entry, Record
from klatsch.records.judge import StandingAt
from klatsch.records.keys import MEMBERS
from klatsch.records.kinds import KINDS, MESSAGE
from klatsch.records.members import MembersChanged
from klatsch.records.messages import MessagePosted
from tests.support.records import ANA, BOB, CLEO, Somebody, in_group, members, message, records_of, standing
from tests.unit.feed_parts import POISON, Gateway, wait_for

# A history: what people say (three client_ids each, so that many are copies, some with another body) while they are
# removed and added. Names change every `ERA` steps, as a client_id that is older than the window is looked up instead.
ERA = 12
SPEAKERS = (ANA, BOB)


@dataclass(frozen=True)
class Said:
    speaker: Somebody
    name: int
    body: str


@dataclass(frozen=True)
class Moved:
    """A change of somebody's standing; a `repeat` tells again of the present one."""

    somebody: Somebody
    repeat: bool


says = st.builds(Said, st.sampled_from(SPEAKERS), st.integers(0, 2), st.sampled_from(["a", "b"]))
moves = st.builds(Moved, st.sampled_from(SPEAKERS), st.booleans())
histories = st.lists(st.one_of(says, says, says, moves, st.sampled_from(POISON)), max_size=4 * ERA)


def play(history: Sequence[Said | Moved | Entry]) -> list[Record]:
    versions = dict.fromkeys(SPEAKERS, 1)
    entries: list[Entry] = []
    for number, step in enumerate(history):
        if isinstance(step, Said):
            name = f"{number // ERA}-{step.name}"
            entries.append(message(in_group(step.speaker), step.body, client_id=name))
        elif isinstance(step, Moved):
            versions[step.somebody] += not step.repeat
            version = versions[step.somebody]
            entries.append(members(standing(step.somebody, version, active=version % 2 == 1)))
        else:
            entries.append(step)
    return records_of(*entries)


def verdicts(records: Sequence[Record]) -> list[str]:
    """Returns what each message is by the rules alone, in plain Python: the truth that every feed must tell."""
    out: dict[str, int] = {}
    stands: dict[str, tuple[int, str]] = {}
    told: list[str] = []
    for record in records:
        try:
            event = KINDS.decode(record.value)
        except ValueError:
            continue
        if isinstance(event, MembersChanged) and record.key == MEMBERS.of(event.conversation):
            for member in event.members:
                out[member.user_id] = max(out.get(member.user_id, 1), member.version)
        elif isinstance(event, MessagePosted):
            if event.id in stands:
                first, body = stands[event.id]
                told.append(f"ok 1:0:{first} True" if body == event.content else "conflict")
            elif out.get(event.sender_id, 1) % 2 == 0:
                told.append("not_a_member")
            else:
                stands[event.id] = (record.offset, event.content)
                told.append(f"ok 1:0:{record.offset} False")
    return told


def answers(gateway: Gateway, records: Sequence[Record]) -> list[str]:
    """Returns what senders are told who wait for each of these records."""
    asker = gateway.connect(CLEO, member=False)
    told: list[str] = []
    for record in records:
        if (KINDS.find(record) is MESSAGE) and decode_or_none(record) is not None:
            wait_for(record, gateway.pending, asker.outbox)
        gateway.read([record])
        for frame in asker.read():
            if "re" in frame:
                found = frame.get("ok")
                told.append(f"ok {found['position']} {found['duplicate']}" if found else frame["err"]["code"])
    return told


def decode_or_none(record: Record) -> Any:
    try:
        return KINDS.decode(record.value)
    except ValueError:
        return None


def archive_before(records: Sequence[Record]) -> list[StandingAt]:
    """Returns who is out as the archive knows it there: nothing of what comes later."""
    return [
        StandingAt(event.conversation, m.user_id, m.version, m.active, record.partition, record.offset)
        for record in records
        if isinstance(event := decode_or_none(record), MembersChanged) and record.key == MEMBERS.of(event.conversation)
        for m in event.members
    ]


@given(histories)
def test_every_answer_is_what_the_rules_say(history: list[Said | Moved | Entry]) -> None:
    records = play(history)
    assert answers(Gateway(), records) == verdicts(records)


@given(histories, st.integers(0, 3))
def test_two_feeds_that_start_at_different_points_agree(history: list[Said | Moved | Entry], era: int) -> None:
    records = play(history)
    start = min(era * ERA, len(records))
    early, late = Gateway(), Gateway({0: start})
    for standing_before in archive_before(records[:start]):
        late.feed.memberships.load(standing_before)
    early.read(records[:start])
    watchers = early.connect(CLEO), late.connect(CLEO)

    assert answers(early, records[start:]) == answers(late, records[start:])
    seen = [watcher.read() for watcher in watchers]
    assert seen[0] == seen[1]


@given(histories, st.lists(st.integers(0, 4 * ERA), max_size=4))
def test_where_the_log_is_cut_into_batches_makes_no_difference(
    history: list[Said | Moved | Entry], cuts: list[int]
) -> None:
    records = play(history)
    whole, parts = Gateway(), Gateway()
    watchers = whole.connect(CLEO), parts.connect(CLEO)
    whole.read(records)
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for begin, end in itertools.pairwise(edges):
        parts.read(records[begin:end])

    seen = [watcher.read() for watcher in watchers]
    assert seen[0] == seen[1]
    assert whole.feed.offsets == parts.feed.offsets
