"""Judges changes of messages in the log's order, alike in every gateway and persister (D18). No I/O."""

from dataclasses import dataclass, field
from typing import Final

from klatsch.eventlog.log import Record
from klatsch.records.header import (
    ACTOR,
    DELETED,
    DIGEST,
    EDITED,
    PINNED,
    REACTION,
    Check,
    judged_actor,
    judged_digest,
)
from klatsch.records.judge import Memberships, Verdict

CHECK_MOST_MS: Final = 60_000
"""The greatest distance of a change's check from its log time. Everything that can contradict it is newer than this."""
STANDS: Final = (Verdict.IN_FORCE, Verdict.NO_EFFECT)
"""The verdicts on changes that are stored."""
_ON: Final = -1
"""The byte of a digest that says whether a reaction or a pin is on."""


@dataclass(slots=True)
class Target:
    """The part of a message's past that decides about further changes.

    `edited` is the offset of its last edit in this epoch, or -1. `reactions` tells for an actor's id and a reaction's
    name whether the reaction is there, and since when: in milliseconds of the log's time, the newest last. `pinned` is
    whether the message is pinned, where that is known.
    """

    deleted: bool = False
    edited: int = -1
    reactions: dict[bytes, tuple[bool, int]] = field(default_factory=dict)
    pinned: bool | None = None

    def note_reaction(self, key: bytes, time_ms: int, *, on: bool) -> None:
        """Notes that a reaction is there, or is not, since that time."""
        self.reactions.pop(key, None)
        self.reactions[key] = (on, time_ms)

    def forget_reactions(self, before_ms: int) -> None:
        """Forgets reactions that last changed before that time: a message may be reacted to for years."""
        while self.reactions:
            oldest = next(iter(self.reactions))
            if self.reactions[oldest][1] >= before_ms:
                return
            del self.reactions[oldest]


def judge_change(record: Record, target: Target, memberships: Memberships) -> Verdict:
    """Returns the verdict on a change that is no copy, by the records before it."""
    judge = record.judge
    check, actor = Check.decode(judge), judged_actor(judge)
    if abs(record.time_ms - check.at_ms) > CHECK_MOST_MS:
        return Verdict.LATE
    void = memberships.find_void(record.key, actor)
    if void is not None:
        return void
    if target.deleted:
        return Verdict.GONE
    if check.by_role and memberships.is_demoted(record.key, actor):
        return Verdict.DEMOTED
    if judge[0] == EDITED and check.base is not None and target.edited > check.base:
        return Verdict.CONFLICT
    return Verdict.NO_EFFECT if _is_as_before(judge, check, target) else Verdict.IN_FORCE


def apply_change(record: Record, target: Target) -> None:
    """Notes a change in force, for the judging of later ones."""
    judge = record.judge
    kind = judge[0]
    if kind == EDITED:
        target.edited = record.offset
    elif kind == DELETED:
        target.deleted = True
        target.reactions.clear()
    elif kind == REACTION:
        target.note_reaction(reaction_key(judge), record.time_ms, on=bool(judged_digest(judge)[_ON]))
    elif kind == PINNED:
        target.pinned = bool(judged_digest(judge)[_ON])


def reaction_key(judge: bytes) -> bytes:
    """Returns the actor's id and the reaction's name, 31 bytes: one member of a message's set of reactions."""
    return judge[ACTOR] + judge[DIGEST][:_ON]


def _is_as_before(judge: bytes, check: Check, target: Target) -> bool:
    """Returns whether a reaction or a pin is there, or not there, already."""
    kind = judge[0]
    if kind == REACTION:
        before, _ = target.reactions.get(reaction_key(judge), (check.was_on, 0))
    elif kind == PINNED:
        before = check.was_on if target.pinned is None else target.pinned
    else:
        return False
    return before == bool(judged_digest(judge)[_ON])
