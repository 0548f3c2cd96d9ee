"""An in-memory log for unit tests. It passes the same contract suite as Kafka (tests/contract)."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from klatsch.eventlog.log import Entry, LogFull, OffsetGone, Record, Report
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.pulse import PATIENCE_S
from klatsch.eventlog.tailing import ReplaceableTail
from klatsch.eventlog.watch import LogWatch, Told

_WAIT_S = 0.05
_LOOK_S = 0.05


@dataclass(slots=True)
class _Group:
    members: list["MemoryGroup"] = field(default_factory=list)


class MemoryLog:
    """A topic: partitions of records, with the time of each. `first` offsets grow when records are dropped."""

    def __init__(self, partitions: int = 12, clock: Callable[[], int] = lambda: 0) -> None:
        self.partitions = partitions
        self.clock = clock
        self.changed = threading.Condition()
        self.records: list[list[Record]] = [[] for _ in range(partitions)]
        self.times: list[list[int]] = [[] for _ in range(partitions)]
        self.first = [0] * partitions
        self.groups: dict[str, _Group] = {}

    def drop_before(self, partition: int, offset: int) -> None:
        """Drops records before `offset`, like Kafka's retention."""
        with self.changed:
            self.first[partition] = offset

    def add_partition(self) -> None:
        """Adds a partition like an operator's tool; `partitions` stays the epoch's number, like for Kafka's clients."""
        with self.changed:
            self.records.append([])
            self.times.append([])
            self.first.append(0)

    def append(self, entry: Entry) -> Record:
        partition = partition_of(entry.place if entry.place is not None else entry.key, self.partitions)
        with self.changed:
            records = self.records[partition]
            now_ms = self.clock()
            record = Record(partition, len(records), entry.key, entry.value, entry.judge, entry.trace, now_ms)
            records.append(record)
            self.times[partition].append(now_ms)
            self.changed.notify_all()
        return record

    def read(self, positions: dict[int, int], limit: int, timeout_s: float) -> list[Record]:
        """Takes up to `limit` records, moving `positions`; raises OffsetGone where the log does not hold a position."""
        with self.changed:
            self.changed.wait_for(lambda: self._take(positions, 1, move=False), timeout_s)
            return self._take(positions, limit, move=True)

    def _take(self, positions: dict[int, int], limit: int, *, move: bool) -> list[Record]:
        taken: list[Record] = []
        for partition, offset in positions.items():
            if not self.first[partition] <= offset <= len(self.records[partition]):
                raise OffsetGone(f"partition {partition} does not hold offset {offset}")
            some = self.records[partition][offset : offset + limit - len(taken)]
            taken += some
            if move:
                positions[partition] = offset + len(some)
        return taken


class MemoryWriter:
    """Appends at once. `room` is the number of entries until LogFull; `broken` makes every report an error."""

    def __init__(self, log: MemoryLog, *, reports: str = "all") -> None:
        self._log = log
        self._reports = reports
        self.room: int | None = None
        self.broken = False

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        if self.room is not None:
            if self.room <= 0:
                raise LogFull("the queue of unsent records is full")
            self.room -= 1
        if self.broken:
            if report:
                report(Report(entry, -1, -1, "the log is broken"))
            return
        record = self._log.append(entry)
        if report and self._reports == "all":
            report(Report(entry, record.partition, record.offset, None))

    def close(self, deadline_s: float) -> int:  # noqa: ARG002 - nothing waits
        return 0


class MemoryAsker:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def ends(self, deadline_s: float = 0.0) -> dict[int, int]:  # noqa: ARG002 - answers at once
        return {p: len(self._log.records[p]) for p in range(self._log.partitions)}

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        return {
            p: next((i for i in range(self._log.first[p], len(times)) if times[i] >= time_ms), len(times))
            for p, times in enumerate(self._log.times[: self._log.partitions])
        }

    def ask(self) -> Told:
        return Told(self.ends(), dict.fromkeys(range(self._log.partitions), 0))

    def close(self) -> None:
        """Does nothing: no resource is held."""


class MemorySource:
    """Reads on from `offsets`. `deaf` names partitions that yield no more records, to simulate a stalled driver."""

    def __init__(self, log: MemoryLog, offsets: Mapping[int, int]) -> None:
        self._log = log
        self._positions = dict(offsets)
        self.deaf: set[int] = set()

    def read(self, limit: int) -> Sequence[Record]:
        heard = {p: offset for p, offset in self._positions.items() if p not in self.deaf}
        records = self._log.read(heard, limit, _WAIT_S)
        self._positions |= heard
        return records

    def close(self) -> None:
        """Does nothing: no resource is held."""


class MemoryTail(ReplaceableTail):
    """A tail of a MemoryLog. `sources` are the sources that it has opened; it reads the last one."""

    def __init__(self, log: MemoryLog, patience_s: float = PATIENCE_S) -> None:
        super().__init__(LogWatch(MemoryAsker(log), _LOOK_S), patience_s)
        self.sources: list[MemorySource] = []
        self._log = log

    def open_source(self, offsets: Mapping[int, int]) -> MemorySource:
        self.sources.append(MemorySource(self._log, offsets))
        return self.sources[-1]


class MemoryGroup:
    """Shares the partitions with the other members of its name; each member sees a change in its next `poll`."""

    def __init__(
        self,
        log: MemoryLog,
        name: str,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
    ) -> None:
        self._log = log
        self._assigned = assigned
        self._revoked = revoked
        self.positions: dict[int, int] = {}
        self._group = log.groups.setdefault(name, _Group())
        self._group.members.append(self)

    def poll(self, timeout_s: float, limit: int) -> Sequence[Record]:
        self._rebalance()
        return self._log.read(self.positions, limit, timeout_s)

    def seek(self, offsets: Mapping[int, int]) -> None:
        self.positions.update({p: offset for p, offset in offsets.items() if p in self.positions})

    def commit(self, offsets: Mapping[int, int]) -> None:
        pass

    def close(self) -> None:
        self._group.members.remove(self)
        if self.positions:
            self._revoked(sorted(self.positions))
        self.positions = {}

    def _rebalance(self) -> None:
        mine = self._group.members.index(self)
        share = set(range(mine, self._log.partitions, len(self._group.members)))
        if lost := sorted(set(self.positions) - share):
            self._revoked(lost)
            for partition in lost:
                del self.positions[partition]
        held = {p for member in list(self._group.members) if member is not self for p in list(member.positions)}
        if gained := sorted(share - set(self.positions) - held):
            self.positions.update(self._assigned(gained))
