"""The outbox: bounded, in order, closed once; a stalled peer holds up nobody (D12)."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from klatsch.gateway.hub import Hub
from klatsch.gateway.language.protocol import Close, wire
from klatsch.gateway.outbox import Outbox
from tests.support.peer import Peer

BOUND_BYTES = 100


def test_what_is_pushed_waits_for_the_flush_and_is_written_at_once() -> None:
    hub, peer = Hub(), Peer()
    outbox = Outbox(peer, hub.dirty, BOUND_BYTES)
    outbox.push(b"one")
    outbox.push(b"two")
    assert peer.taken == b""
    assert hub.dirty == [outbox]

    hub.flush()
    assert (peer.taken, peer.writes) == (b"onetwo", 1)
    assert hub.dirty == []


def test_an_answer_is_written_at_once_after_what_was_pushed_before() -> None:
    peer = Peer()
    outbox = Outbox(peer, [], BOUND_BYTES)
    outbox.push(b"pushed")
    outbox.answer(b"answered")

    assert peer.taken == b"pushed" + wire(b"answered")


def test_order_is_kept_when_the_peer_pauses_and_resumes() -> None:
    hub, peer = Hub(), Peer(stalls_after=1)
    outbox = Outbox(peer, hub.dirty, BOUND_BYTES)
    outbox.push(b"1")
    hub.flush()
    outbox.push(b"2")
    outbox.answer(b"3")
    outbox.push(b"4")
    hub.flush()
    assert peer.taken == b"1"

    peer.paused, peer.stalls_after = False, None
    outbox.flush()
    assert peer.taken == b"12" + wire(b"3") + b"4"


def test_more_than_the_bound_waiting_closes_it_as_slow() -> None:
    peer = Peer(paused=True)
    outbox = Outbox(peer, [], BOUND_BYTES)
    outbox.push(b"x" * BOUND_BYTES)
    assert not outbox.closed

    outbox.push(b"x")
    assert outbox.closed
    assert peer.closed == [(Close.SLOW, "slow, resume")]


def test_what_was_written_no_longer_counts() -> None:
    peer = Peer()
    outbox = Outbox(peer, [], BOUND_BYTES)
    for _ in range(3):
        outbox.push(b"x" * BOUND_BYTES)
        outbox.flush()
    peer.paused = True
    outbox.push(b"x" * BOUND_BYTES)

    assert peer.closed == []


def test_a_peer_that_takes_what_it_gets_is_never_slow() -> None:
    peer = Peer()
    outbox = Outbox(peer, [], BOUND_BYTES)
    for _ in range(50):
        outbox.push(b"x" * 60)
    outbox.push(b"y" * BOUND_BYTES * 10)
    outbox.flush()

    assert len(peer.taken) == 50 * 60 + BOUND_BYTES * 10
    assert peer.closed == []


def test_it_is_closed_once_and_takes_nothing_more() -> None:
    peer = Peer()
    outbox = Outbox(peer, [], BOUND_BYTES)
    outbox.push(b"dropped, as the client will resume")
    outbox.close(Close.DRAINING, "draining, resume")
    outbox.close(Close.SLOW, "slow, resume")
    outbox.push(b"late")
    outbox.answer(b"later")
    outbox.flush()

    assert peer.closed == [(Close.DRAINING, "draining, resume")]
    assert peer.taken == b""


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.integers(1, 5))
def test_nothing_is_lost_or_reordered_while_the_bound_is_not_reached(frames: list[bytes], stalls_after: int) -> None:
    hub, peer = Hub(), Peer(stalls_after=stalls_after)
    outbox = Outbox(peer, hub.dirty, bytes_most=10_000)
    for frame in frames:
        outbox.push(frame)
        hub.flush()
    peer.paused, peer.stalls_after = False, None
    outbox.flush()

    assert peer.taken == b"".join(frames)


class OutboxMachine(RuleBasedStateMachine):
    """Feeds, flushes, pauses and closes outboxes anyhow, against a plain list of what was put in."""

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub()
        self.peer = Peer()
        self.outbox = Outbox(self.peer, self.hub.dirty, BOUND_BYTES)
        self.put = b""
        self.number = 0

    def next_frame(self, size: int) -> bytes:
        self.number += 1
        return f"<{self.number}>".encode().ljust(size, b".")

    @precondition(lambda self: not self.outbox.closed)
    @rule(size=st.integers(1, 60))
    def push(self, size: int) -> None:
        frame = self.next_frame(size)
        self.outbox.push(frame)
        self.put += frame

    @precondition(lambda self: not self.outbox.closed)
    @rule(size=st.integers(1, 60))
    def answer(self, size: int) -> None:
        payload = self.next_frame(size)
        self.outbox.answer(payload)
        self.put += wire(payload)

    @rule()
    def flush_batch(self) -> None:
        self.hub.flush()
        if not self.peer.paused and not self.outbox.closed:
            assert self.peer.taken == self.put

    @rule()
    def stall(self) -> None:
        self.peer.paused = True

    @precondition(lambda self: self.peer.paused)
    @rule()
    def read_again(self) -> None:
        self.peer.paused = False
        self.outbox.flush()

    @invariant()
    def what_was_taken_is_a_beginning_of_what_was_put(self) -> None:
        assert self.put.startswith(self.peer.taken)

    @invariant()
    def no_more_than_the_bound_waits(self) -> None:
        waiting = sum(map(len, self.outbox._frames))
        assert waiting <= BOUND_BYTES
        assert not (self.outbox.closed and waiting)

    @invariant()
    def it_is_closed_as_slow_once_or_never(self) -> None:
        assert self.peer.closed == ([(Close.SLOW, "slow, resume")] if self.outbox.closed else [])


OutboxMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestOutboxMachine = OutboxMachine.TestCase
