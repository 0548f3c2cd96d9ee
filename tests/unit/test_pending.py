"""Sends that wait: oldest first, each taken once, and an outbox that counts them (D4)."""

from hypothesis import given
from hypothesis import strategies as st

from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.outbox import Outbox
from tests.support.peer import Peer


def an_outbox() -> Outbox:
    return Outbox(Peer(), [], 100)


def waiter(since_s: float, outbox: Outbox | None = None, re: int = 1) -> Waiter:
    return Waiter(outbox or an_outbox(), re, "id", b"digest", since_s, b"value")


def test_a_waiter_is_taken_once() -> None:
    pending, outbox = Pending(), an_outbox()
    one = waiter(0, outbox)
    pending.add(b"id", one)
    assert outbox.unanswered == 1

    assert pending.take(b"id") == (one,)
    assert pending.take(b"id") == ()
    assert outbox.unanswered == 0


def test_all_who_wait_for_the_same_message_are_taken_together_in_their_order() -> None:
    pending, outbox = Pending(), an_outbox()
    waiters = tuple(waiter(float(re), outbox, re) for re in range(3))
    for one in waiters:
        pending.add(b"id", one)

    assert outbox.unanswered == 3
    assert pending.take(b"id") == waiters
    assert outbox.unanswered == 0


def test_what_nobody_waits_for_is_nobodys() -> None:
    pending = Pending()
    assert pending.take(b"id") == ()
    assert pending.oldest_s() is None
    assert pending.overdue(1e9) == []


def test_the_oldest_is_the_one_that_has_waited_longest() -> None:
    pending = Pending()
    pending.add(b"a", waiter(1))
    pending.add(b"b", waiter(2))
    pending.add(b"a", waiter(3))
    assert pending.oldest_s() == 1

    pending.take(b"a")
    assert pending.oldest_s() == 2


def test_overdue_are_those_whose_first_waiter_has_waited_since_before_then() -> None:
    pending = Pending()
    for number in range(5):
        pending.add(bytes([number]), waiter(float(number)))

    assert pending.overdue(3.0) == [b"\0", b"\1", b"\2"]
    assert pending.overdue(0.0) == []


def test_a_retry_that_waits_on_hides_nobody_who_has_waited_longer() -> None:
    pending = Pending()
    retry = waiter(3)
    for message_id, one in ((b"void", waiter(1)), (b"before", waiter(2)), (b"void", retry), (b"after", waiter(4))):
        pending.add(message_id, one)
    pending.take(b"void")
    pending.put_back(b"void", (retry,))

    assert pending.oldest_s() == 2
    assert pending.overdue(2.5) == [b"before"]
    assert pending.overdue(9) == [b"before", b"void", b"after"]


steps = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 2)), max_size=40)


@given(steps)
def test_an_outbox_counts_its_sends_that_wait(taken: list[tuple[bool, int, int]]) -> None:
    pending = Pending()
    outboxes = [an_outbox() for _ in range(3)]
    model: dict[bytes, list[int]] = {}
    for now, (adds, number, whose) in enumerate(taken):
        message_id = bytes([number])
        if adds:
            pending.add(message_id, waiter(float(now), outboxes[whose]))
            model.setdefault(message_id, []).append(whose)
        else:
            assert len(pending.take(message_id)) == len(model.pop(message_id, []))

        waiting = [whose for several in model.values() for whose in several]
        assert [outbox.unanswered for outbox in outboxes] == [waiting.count(number) for number in range(3)]
