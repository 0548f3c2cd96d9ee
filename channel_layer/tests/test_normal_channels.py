"""The state machine of the normal channels: one queue, one reader, one decision on what is full."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from channels_kafka_layer.normal_channels import Match, NormalChannels, Queued

A, B = b"node-aaa", b"node-bbb"
LATE_MS = 10**9


def message(place: int, expires_ms: int = LATE_MS) -> Queued:
    return Queued(place, expires_ms, b"%d" % place)


def test_a_message_is_matched_with_the_first_offer_that_waits() -> None:
    state = NormalChannels()
    state.offer("c", A, 1, 5_000)
    state.offer("c", B, 1, 5_000)
    assert state.send("c", message(1), 3) == Match("c", A, 1, message(1))
    assert state.send("c", message(2), 3) == Match("c", B, 1, message(2))
    assert state.send("c", message(3), 3) is True


def test_an_offer_gets_the_first_message_of_the_queue() -> None:
    state = NormalChannels()
    state.send("c", message(1), 3)
    state.send("c", message(2), 3)
    assert state.offer("c", A, 1, 5_000) == Match("c", A, 1, message(1))
    assert state.offer("c", A, 2, 5_000) == Match("c", A, 2, message(2))
    assert state.offer("c", A, 3, 5_000) is None


def test_a_full_channel_takes_no_message_until_one_was_taken_or_has_expired() -> None:
    state = NormalChannels()
    assert state.send("c", message(1, expires_ms=100), 1) is True
    assert state.send("c", message(2), 1) is False
    state.advance(100)
    assert state.send("c", message(3), 1) is True
    state.offer("c", A, 1, 5_000)
    assert state.send("c", message(4), 1) is True


def test_an_offer_that_is_not_renewed_ends_and_cannot_be_renewed_afterwards() -> None:
    state = NormalChannels()
    state.offer("c", A, 1, 5_000)
    state.advance(4_000)
    state.renew("c", A, 1, 5_000)
    state.advance(8_999)
    assert state.is_offered("c", A, 1)
    state.advance(9_000)
    state.renew("c", A, 1, 5_000)
    assert not state.is_offered("c", A, 1)
    assert state.send("c", message(1), 3) is True


def test_a_withdrawn_offer_gets_nothing() -> None:
    state = NormalChannels()
    state.offer("c", A, 1, 5_000)
    state.withdraw("c", A, 1)
    assert state.send("c", message(1), 3) is True


def test_a_message_that_goes_back_is_the_first_again_even_where_the_channel_is_full() -> None:
    state = NormalChannels()
    state.send("c", message(2), 1)
    assert state.give_back("c", message(1)) is None
    assert state.offer("c", A, 1, 5_000) == Match("c", A, 1, message(1))


def test_a_message_that_goes_back_too_late_is_gone() -> None:
    state = NormalChannels()
    state.advance(200)
    assert state.give_back("c", message(1, expires_ms=200)) is None
    assert state.offer("c", A, 1, 5_000) is None


def test_a_membership_ends_unless_it_is_repeated() -> None:
    state = NormalChannels()
    state.join("g", "c", 1_000, 7)
    state.advance(500)
    state.join("g", "c", 1_000, 7)
    state.advance(1_499)
    assert state.members("g")["c"].capacity == 7
    state.advance(1_500)
    assert state.members("g") == {}


def test_nothing_is_kept_of_channels_that_nobody_uses() -> None:
    state = NormalChannels()
    state.send("a", message(1, expires_ms=10), 3)
    state.offer("b", A, 1, 10)
    state.join("g", "c", 10, 3)
    state.advance(10)
    state.sweep()
    assert len(state) == 0
    assert state.groups() == []


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["send", "offer", "withdraw", "wait", "sweep"]),
        st.integers(min_value=1, max_value=30),
    ),
    max_size=80,
)


@given(operations=OPERATIONS)
def test_each_message_has_one_reader_at_most_and_the_first_in_is_the_first_out(
    operations: list[tuple[str, int]],
) -> None:
    state, taken, offers = NormalChannels(), list[int](), deque[int]()
    for place, (what, argument) in enumerate(operations):
        match: Match | bool | None = None
        if what == "send":
            match = state.send("c", message(place, state.now_ms + argument), 3)
        elif what == "offer":
            offers.append(place)
            match = state.offer("c", A, place, argument)
        elif what == "withdraw" and offers:
            state.withdraw("c", A, offers.popleft())
        elif what == "sweep":
            state.sweep()
        else:
            state.advance(state.now_ms + argument)
        if isinstance(match, Match):
            assert match.message.expires_ms > state.now_ms
            taken.append(match.message.place)
        assert len(list(state.queued())) <= 3
    assert taken == sorted(set(taken))
