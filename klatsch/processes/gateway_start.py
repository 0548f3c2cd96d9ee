"""Plans where a gateway begins to read the log, and what it must know of the time before."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from klatsch.archive.effects import read_effects
from klatsch.archive.offsets import read_first_offsets, read_offsets
from klatsch.archive.removals import read_removals
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.models import Epoch
from klatsch.gateway.feed.changes import Settled
from klatsch.processes import wiring
from klatsch.records.judge import StandingAt

RECENT_SPANS: Final = 0.2
"""The part of a span that a gateway remembers pushes of when it starts, if the archive is not further behind."""


@dataclass(frozen=True, slots=True)
class Start:
    """The offsets at which the feed begins, the ends to reach before serving, and the earlier removals.

    From `recent` on the feed knows every copy, so that what it remembers from there can be replayed.
    """

    begin: dict[int, int]
    ends: dict[int, int]
    recent: dict[int, int]
    standings: list[StandingAt]
    settled: Settled


def plan_start(tail: KafkaTail, epoch: Epoch) -> Start:
    """Begins a span before what the feed must judge itself, so that it knows every copy (D3) and change (D18).

    It judges what is not archived yet, and replays the last `RECENT_SPANS`.
    """
    ends = tail.ends()
    kept = tail.offsets_at(0)
    now_ms, span_ms = wiring.clock_ms(), settings.ENV["KLATSCH_RING_SECONDS"] * 1_000
    spans_ago = functools.cache(lambda spans: tail.offsets_at(now_ms - int(spans * span_ms)))
    with wiring.connect_archive("gateway") as connection:
        archived = read_offsets(connection, epoch.epoch)
        first = read_first_offsets(connection, epoch.epoch)
        oldest = {p: max(kept[p], first[p]) for p in ends}
        begin = {p: max(oldest[p], begin_of(p, archived[p], oldest[p], spans_ago)) for p in ends}
        recent = {p: max(begin[p], min(spans_ago(RECENT_SPANS)[p], archived[p])) for p in ends}
        standings = read_removals(connection, epoch.epoch, list(ends), since=oldest, before=begin)
        settled = Settled(archived, read_effects(connection, epoch.epoch, begin))  # read after `archived`, so whole
    return Start(begin, ends, recent, standings, settled)


def begin_of(partition: int, archived: int, oldest: int, spans_ago: Callable[[float], Mapping[int, int]]) -> int:
    """Returns an offset that is a span or two before the archive's place, and before the last `RECENT_SPANS`.

    A feed that began later could not tell what the first records after that place are copies of, or conflict with.
    """
    if spans_ago(RECENT_SPANS)[partition] <= max(archived, oldest):
        return spans_ago(1 + RECENT_SPANS)[partition]
    late = 1  # this many spans ago is not later than the archive's place
    while spans_ago(late)[partition] > max(archived, oldest):
        late *= 2
    early = late // 2  # and this many spans ago is later
    while late - early > 1:
        middle = (late + early) // 2
        early, late = (middle, late) if spans_ago(middle)[partition] > archived else (early, middle)
    return spans_ago(late + 1)[partition]
