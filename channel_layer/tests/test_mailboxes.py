"""The queues of own channels: order, capacity, expiry, waiters and the end of a channel."""

from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from channels_kafka_layer.mailboxes import Mailboxes

FOREVER_S = 1e9


class Waiting:
    """A waiting `receive` that counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


def boxes(capacity: int = 3, idle_most_s: float = 60) -> Mailboxes:
    return Mailboxes(lambda _: capacity, idle_most_s)


def test_messages_come_out_in_the_order_in_which_they_went_in() -> None:
    mail = boxes()
    for body in (b"1", b"2", b"3"):
        assert mail.put("c", body, FOREVER_S, 0)
    assert [mail.take("c", 0) for _ in range(4)] == [b"1", b"2", b"3", None]


def test_a_full_channel_drops_the_newest_and_no_other_channel_notices() -> None:
    mail = boxes(capacity=1)
    assert mail.put("slow", b"kept", FOREVER_S, 0)
    assert not mail.put("slow", b"dropped", FOREVER_S, 0)
    assert mail.put("quick", b"kept", FOREVER_S, 0)
    assert mail.take("slow", 0) == b"kept"
    assert mail.take("slow", 0) is None


def test_an_expired_message_is_neither_received_nor_does_it_fill_the_channel() -> None:
    mail = boxes(capacity=1)
    assert mail.put("c", b"old", 5, 0)
    assert mail.put("c", b"new", FOREVER_S, 5)
    assert mail.take("c", 5) == b"new"


def test_a_message_wakes_one_waiter_at_a_time() -> None:
    mail, first, second = boxes(), Waiting(), Waiting()
    mail.wait("c", first, 0)
    mail.wait("c", second, 0)
    mail.put("c", b"1", FOREVER_S, 0)
    assert (first.woken, second.woken) == (1, 0)
    mail.put("c", b"2", FOREVER_S, 0)
    assert (first.woken, second.woken) == (1, 1)


def test_a_waiter_that_leaves_after_it_was_woken_wakes_the_next() -> None:
    mail, first, second = boxes(), Waiting(), Waiting()
    mail.wait("c", first, 0)
    mail.wait("c", second, 0)
    mail.put("c", b"1", FOREVER_S, 0)
    mail.leave("c", first, 0)
    assert second.woken == 1
    assert mail.take("c", 0) == b"1"


def test_a_channel_ends_when_nobody_has_received_for_the_time() -> None:
    mail = boxes(idle_most_s=10)
    mail.open("c", 0)
    assert mail.sweep(9) == []
    assert mail.sweep(10) == ["c"]
    assert len(mail) == 0


def test_a_channel_lives_while_a_receive_waits_and_for_the_time_after_it_was_cancelled() -> None:
    mail, waiting = boxes(idle_most_s=10), Waiting()
    mail.wait("c", waiting, 0)
    assert mail.sweep(1_000) == []
    mail.leave("c", waiting, 1_000)
    assert mail.sweep(1_009) == []
    assert mail.sweep(1_010) == ["c"]


def test_a_flush_drops_messages_and_lets_waiters_wait_on() -> None:
    mail, waiting = boxes(), Waiting()
    mail.put("full", b"1", FOREVER_S, 0)
    mail.wait("empty", waiting, 0)
    mail.clear()
    assert mail.take("full", 0) is None
    mail.put("empty", b"2", FOREVER_S, 0)
    assert waiting.woken == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "take", "wait", "leave", "sweep"]),
        st.sampled_from("ab"),
        st.integers(min_value=0, max_value=7),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_a_queue_is_a_bounded_queue_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    mail, now_s = boxes(capacity=2, idle_most_s=20), 0.0
    model: dict[str, deque[tuple[float, bytes]]] = {"a": deque(), "b": deque()}
    waiting: dict[str, list[Any]] = {"a": [], "b": []}
    for number, (step, channel, argument) in enumerate(steps):
        queue = model[channel]
        if step == "put":
            while queue and queue[0][0] <= now_s:
                queue.popleft()
            has_room = len(queue) < 2
            if has_room:
                queue.append((now_s + argument, b"%d" % number))
            assert mail.put(channel, b"%d" % number, now_s + argument, now_s) == has_room
        elif step == "take":
            while queue and queue[0][0] <= now_s:
                queue.popleft()
            assert mail.take(channel, now_s) == (queue.popleft()[1] if queue else None)
        elif step == "wait":
            waiting[channel].append(Waiting())
            mail.wait(channel, waiting[channel][-1], now_s)
        elif step == "leave" and waiting[channel]:
            mail.leave(channel, waiting[channel].pop(0), now_s)
        elif step == "sweep":
            now_s += argument
            for ended in mail.sweep(now_s):
                assert not [waiter for waiter in waiting[ended] if not waiter.woken]
                model[ended].clear()
