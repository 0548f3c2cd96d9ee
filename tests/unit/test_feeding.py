"""From the log's thread to the event loop: a few batches at a time, and none after one that could not be applied."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from klatsch.eventlog.log import LogError, Record
from klatsch.gateway.feed import bridge as feeding_module
from klatsch.gateway.feed.bridge import Feeding
from klatsch.gateway.feed.ring import RingFull
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.records.kind import Judging, RecordKind
from tests.support.gateway_parts import Parts
from tests.support.peer import Peer
from tests.support.records import ANA, NOW_MS, in_group, message
from tests.support.waiting import until, wait_until


class Broken(Parts):
    """A gateway whose feed stumbles over every record, as over a mistake of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.feed._judges[Judging.ONCE] = self._stumble  # a fault is caused where the fault is

    def _stumble(self, record: Record, kind: RecordKind) -> None:
        raise ZeroDivisionError


def feeding_of(parts: Parts, ends: dict[int, int], failed: Callable[[LogError], None] = lambda _: None) -> Feeding:
    return Feeding(
        feed=parts.feed, hub=parts.hub, opening=parts.opening, ends=ends, clock=lambda: NOW_MS, failed=failed
    )


def said(parts: Parts, *contents: str) -> Sequence[Record]:
    return [parts.log.append(message(in_group(ANA), content)) for content in contents]


async def test_the_gateway_opens_when_the_feed_has_read_up() -> None:
    parts = Parts()
    parts.opening.shut()
    feeding = feeding_of(parts, {0: 2})
    one, two = said(parts, "1", "2")
    feeding.apply([one])
    assert not parts.opening.is_open

    feeding.apply([two])
    assert parts.opening.is_open


async def test_what_the_log_delivers_on_its_thread_is_applied_on_the_loop() -> None:
    parts = Parts()
    feeding = feeding_of(parts, {})
    await asyncio.to_thread(feeding.deliver, said(parts, "1", "2"))

    await until(lambda: parts.feed.offsets == [2])


async def test_the_log_is_read_no_further_while_the_loop_is_busy() -> None:
    parts = Parts()
    feeding = feeding_of(parts, {})
    taken: list[Record] = []
    records = said(parts, *map(str, range(20)))

    def deliver_all() -> None:
        for record in records:
            feeding.deliver([record])
            taken.append(record)

    thread = threading.Thread(target=deliver_all)
    thread.start()
    wait_until(lambda: len(taken) >= feeding_module._BATCHES_MOST)  # and meanwhile the loop is busy
    assert len(taken) == feeding_module._BATCHES_MOST

    await until(lambda: parts.feed.offsets == [20])
    thread.join(10)
    assert taken == records


async def test_a_delivery_that_waits_for_the_loop_ends_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding_module, "_LOOK_UP_S", 0.01)
    feeding = feeding_of(Parts(), {})
    feeding._room = threading.Semaphore(0)
    thread = threading.Thread(target=feeding.deliver, args=([],))
    thread.start()
    feeding.stopping = True
    thread.join(10)

    assert not thread.is_alive()


async def test_after_an_error_nothing_more_is_applied_and_everybody_is_told_to_resume() -> None:
    parts = Broken()
    peer = Peer()
    parts.hub.join(ANA.user_id, ANA.name, Outbox(peer, parts.hub.dirty, 1_000))
    feeding = feeding_of(parts, {0: 1})
    with pytest.raises(ZeroDivisionError):
        feeding.apply(said(parts, "1"))

    assert peer.closed == [(Close.LOG_UNAVAILABLE, "log unavailable, resume")]
    feeding.apply([Record(0, 1, b"members:elsewhere", b"", b"")])
    assert (parts.feed.offsets, parts.opening.is_open) == ([0], False)


async def test_an_error_is_told_at_once_to_whoever_ends_the_process_also_where_no_other_record_comes() -> None:
    parts = Broken()
    told: list[LogError] = []
    feeding = feeding_of(parts, {}, told.append)
    with pytest.raises(ZeroDivisionError):
        feeding.apply(said(parts, "1"))

    assert [type(error.__cause__) for error in told] == [ZeroDivisionError]


async def test_a_ring_that_is_full_is_told_as_it_is() -> None:
    parts = Parts()
    parts.feed._ring._entries_most = 0
    told: list[LogError] = []
    feeding = feeding_of(parts, {}, told.append)
    feeding.apply(said(parts, "1"))
    with pytest.raises(RingFull):
        feeding.apply(said(parts, "2"))

    assert [type(error) for error in told] == [RingFull]


async def test_after_an_error_the_tail_is_ended_by_a_log_error() -> None:
    parts = Broken()
    feeding = feeding_of(parts, {})
    with pytest.raises(ZeroDivisionError):
        feeding.apply(said(parts, "1"))

    with pytest.raises(LogError):
        feeding.deliver([])
