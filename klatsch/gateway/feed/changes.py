"""Judges edits, deletions, reactions and pins in a feed, as the persister does with the archive at hand (D18)."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field

from klatsch.eventlog.log import Record
from klatsch.gateway.feed.ring import Ring
from klatsch.records.judge import Memberships, Verdict
from klatsch.records.verdicts import STANDS, Target, apply_change, judge_change


@dataclass(frozen=True, slots=True)
class Settled:
    """The archive's verdicts when a feed began: of each partition, on all changes before `offsets`.

    `effects` has the changes in force by partition and offset, with whether they had an effect. All others are void,
    for reasons that the archive does not keep: whoever still waits for one is told to try again.
    A feed that begins in the middle of the log could not judge its first changes: what they may conflict with came
    before.
    """

    offsets: Mapping[int, int] = field(default_factory=dict)
    effects: MutableMapping[tuple[int, int], bool] = field(default_factory=dict)

    def find(self, record: Record) -> Verdict | None:
        """Returns the archive's verdict on a change, once; None where the archive had not come that far."""
        if record.offset >= self.offsets.get(record.partition, 0):
            return None
        effective = self.effects.pop((record.partition, record.offset), None)
        if effective is None:
            return Verdict.LATE
        return Verdict.IN_FORCE if effective else Verdict.NO_EFFECT


class Changes:
    """Judges changes that are no copies, with the memory of one feed."""

    def __init__(self, ring: Ring, memberships: Memberships, settled: Settled) -> None:
        self._ring = ring
        self._memberships = memberships
        self._settled = settled

    def judge(self, record: Record) -> Verdict:
        """Returns the verdict on a change, and remembers a change that stands."""
        target = self._ring.find_target(record) or Target()
        verdict = self._settled.find(record) or judge_change(record, target, self._memberships)
        if verdict in STANDS:
            apply_change(record, target)
            self._ring.remember_change(record, target)
        return verdict

    def last_edit(self, record: Record) -> int | None:
        """Returns the offset of the last edit of the message that a change names, if the feed remembers one."""
        target = self._ring.find_target(record)
        return None if target is None or target.edited < 0 else target.edited
