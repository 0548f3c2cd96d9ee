"""A gateway keeps for replays all from `begins` on, within its bound."""

import time

from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.gateway.feed.recent import RECORD_BYTES, Recent
from tests.support.records import ANA, BOB, added, in_group, marked, message, records_of

KEYS = (b"tea", b"coffee", b"milk")


def record(partition: int, offset: int, key: bytes = b"tea", size: int = 100) -> Record:
    return Record(partition, offset, key, bytes(size), b"")


def found(recent: Recent, offsets: list[int], *keys: bytes) -> dict[bytes, list[tuple[int, int]]]:
    since = recent.since(set(keys or KEYS), offsets)
    return {key: [(r.partition, r.offset) for r in records] for key, records in since}


def test_what_was_added_is_found_by_its_key_from_an_offset_on() -> None:
    recent = Recent([0, 0], 2**20)
    for offset in range(3):
        recent.add(b"tea", record(0, offset))
        recent.add(b"coffee", record(1, offset))

    assert found(recent, [1, 3]) == {b"tea": [(0, 1), (0, 2)]}
    assert found(recent, [3, 2], b"coffee", b"nobody's") == {b"coffee": [(1, 2)]}


def test_what_is_found_costs_the_same_for_somebody_with_many_keys() -> None:
    recent = Recent([0], 2**20)
    recent.add(b"tea", record(0, 0))

    def took_s(keys: dict[bytes, None]) -> float:
        before_s = time.thread_time()
        assert len(list(recent.since(keys.keys(), [0]))) == 1
        return time.thread_time() - before_s

    one, many = {b"tea": None}, dict.fromkeys([b"tea", *(b"%d" % number for number in range(100_000))])
    assert min(took_s(many) for _ in range(5)) < 100 * min(took_s(one) for _ in range(5))


def test_it_begins_where_the_feed_began_and_says_what_it_lacks() -> None:
    recent = Recent([5, 7], 2**20)
    assert recent.missing([5, 7]) == set()
    assert recent.missing([5, 6]) == {1}


def test_nothing_from_before_its_beginning_counts_as_held_whatever_is_added() -> None:
    recent = Recent([5], 16_000)
    for offset in range(20):
        recent.add(b"tea", record(0, offset, size=1_000))
        assert recent.begins[0] >= 5
        recent.turn([offset + 1])

    assert recent.missing([4]) == {0}


steps = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(KEYS), st.integers(0, 3_000), st.booleans()), max_size=200
)


@given(steps, st.tuples(st.integers(0, 200), st.integers(0, 200)))
def test_from_its_beginning_on_it_has_everything_and_after_a_turn_no_more_than_its_bound(
    added: list[tuple[int, bytes, int, bool]], since: tuple[int, int]
) -> None:
    bound = 64_000
    recent, ends = Recent([0, 0], bound), [0, 0]
    everything: list[tuple[bytes, int, int]] = []
    for partition, key, size, turns in added:
        recent.add(key, record(partition, ends[partition], key, size))
        everything.append((key, partition, ends[partition]))
        ends[partition] += 1
        if turns:
            recent.turn(ends)
            assert recent.size <= bound

    wanted = [max(asked, begin) for asked, begin in zip(since, recent.begins, strict=True)]
    assert recent.missing(wanted) == set()
    told = found(recent, wanted)
    for key in KEYS:
        model = [(p, o) for k, p, o in everything if k == key and o >= wanted[p]]
        assert sorted(told.get(key, [])) == sorted(model)
        for partition in (0, 1):  # in the log's order
            offsets = [o for p, o in told.get(key, []) if p == partition]
            assert offsets == sorted(offsets)


def test_beyond_its_bound_the_oldest_goes_and_it_says_so() -> None:
    recent = Recent([0], 64_000)
    for offset in range(1_000):
        recent.add(b"tea", record(0, offset, size=1_000))
        recent.turn([offset + 1])

    assert recent.begins[0] > 900
    assert 56_000 < recent.size <= 64_000
    assert found(recent, recent.begins)[b"tea"][0] == (0, recent.begins[0])


def test_of_a_persons_markers_in_a_conversation_only_the_highest_is_held() -> None:
    recent = Recent([0], 2**20)
    first, second, third = records_of(
        marked(BOB, read="1:0:1"), marked(BOB, read="1:0:2", delivered="1:0:2"), marked(ANA, read="1:0:1")
    )
    for record in (first, second, third):
        assert recent.add_marker(record.key, record)
    [(_, held)] = recent.since({first.key}, [0])
    assert held == [second, third]


def test_a_marker_that_is_higher_nowhere_is_not_held() -> None:
    recent = Recent([0], 2**20)
    high, low, other = records_of(
        marked(BOB, read="1:0:2", delivered="1:0:1"), marked(BOB, read="1:0:1"), marked(BOB, delivered="1:0:2")
    )
    assert [recent.add_marker(record.key, record) for record in (high, low, other)] == [True, False, True]
    [(_, held)] = recent.since({high.key}, [0])
    assert held == [high, other]


def test_a_marker_is_known_to_be_lower_than_one_of_an_older_part() -> None:
    recent = Recent([0], 16 * RECORD_BYTES)
    high, low = records_of(marked(BOB, read="1:0:2"), marked(BOB, read="1:0:1"))
    assert recent.add_marker(high.key, high)
    recent.turn([1])
    assert not recent.add_marker(low.key, low)


def test_many_markers_of_one_person_take_the_memory_of_one() -> None:
    recent = Recent([0], 2**20)
    records = records_of(*(marked(BOB, read=f"1:0:{offset}") for offset in range(10, 99)))
    sizes = {recent.size for record in records if recent.add_marker(record.key, record)}
    assert len(sizes) == 1


def test_the_last_message_is_found_among_other_records() -> None:
    recent = Recent([0], 2**20)
    assert recent.last_message(b"x") is None
    said, other = records_of(message(in_group(ANA)), added(BOB))
    recent.add(said.key, said)
    recent.add(said.key, other)
    assert recent.last_message(said.key) == said
