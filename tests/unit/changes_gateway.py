"""A gateway of `changes_world`: the product's feed, hub and ring, started by its own rules."""

from dataclasses import dataclass
from typing import Final

from klatsch.eventlog.log import Record
from klatsch.eventlog.memory import MemoryAsker, MemoryLog
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import Hub
from klatsch.processes.gateway_start import RECENT_SPANS, begin_of
from tests.unit.changes_archive import Archive

SPAN_MS: Final = 150_000


@dataclass
class Gateway:
    """A gateway of the world. `skew_ms` is what its clock differs by, and `began` where its feed did."""

    feed: Feed
    hub: Hub
    pending: Pending
    began: int
    served: int
    skew_ms: int

    def apply(self, records: list[Record]) -> None:
        self.feed.apply(records)


def start_gateway(log: MemoryLog, archive: Archive, now_ms: int, skew_ms: int) -> Gateway:
    """Starts a gateway, by the rules of `plan_start`; it has read the log up to its end."""
    asker, archived, records = MemoryAsker(log), archive.offset, log.records[0]
    end, at_ms = len(records), now_ms + skew_ms
    begin = begin_of(0, archived, 0, lambda spans: asker.offsets_at(int(at_ms - spans * SPAN_MS)))
    recent = max(begin, min(asker.offsets_at(at_ms - int(RECENT_SPANS * SPAN_MS))[0], archived))
    effects = {place: effect for place, effect in archive.effects.items() if place[1] >= begin}
    hub, pending = Hub(), Pending()
    feed = Feed(
        epoch=1, offsets={0: begin}, hub=hub, pending=pending, ring=Ring(1, SPAN_MS / 1_000, now_ms),
        recent_bytes=2**22, recent_from={0: recent}, settled=Settled({0: archived}, effects),
    )  # fmt: skip
    for standing in archive.standings_before(begin):
        feed.memberships.load(standing)
    gateway = Gateway(feed, hub, pending, begin, end, skew_ms)
    gateway.apply(records[begin:end])
    return gateway
