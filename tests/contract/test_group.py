"""The log's groups: each partition is one member's, who begins where it says and can go back."""

import time
from collections.abc import Mapping, Sequence

import pytest

from klatsch.eventlog.log import OffsetGone
from tests.support.logs import PARTITIONS, GroupMember, LogUnderTest, append_all, values_in
from tests.support.waiting import wait_until

ALL = set(range(PARTITIONS))


def test_the_only_member_is_assigned_every_partition_and_reads_each_in_order(log: LogUnderTest) -> None:
    append_all(log.writer(), [*values_in(0, 20), *values_in(1, 20), *values_in(2, 20)])
    member = GroupMember(log, "persister")
    member.poll_until(lambda: len(member.records) == 60)

    assert member.held == ALL
    for partition in range(PARTITIONS):
        assert [r.offset for r in member.records if r.partition == partition] == list(range(20))


def test_a_member_begins_where_assigned_says(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 5) + values_in(1, 5))
    member = GroupMember(log, "persister", {0: 3, 1: 5})
    member.poll_until(lambda: len(member.records) == 2)
    append_all(log.writer(), values_in(1, 1, start=5))
    member.poll_until(lambda: len(member.records) == 3)

    assert member.values() == [b"0/3", b"0/4", b"1/5"]


def test_a_poll_gives_at_most_its_limit(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 25))
    member = GroupMember(log, "persister")
    sizes: list[int] = []
    wait_until(lambda: len(member.records) == 25, meanwhile=lambda: sizes.append(len(member.poll(limit=10))))

    assert max(sizes) == 10
    assert [r.offset for r in member.records] == list(range(25))


def test_a_poll_waits_for_the_first_record_only(log: LogUnderTest) -> None:
    member = GroupMember(log, "persister")
    member.poll_until(lambda: member.held == ALL)
    append_all(log.writer(), values_in(0, 1))
    begun_s = time.monotonic()
    records = member.port.poll(30.0, 1_000)

    assert [r.value for r in records] == [b"0/0"]
    assert time.monotonic() - begun_s < 15


def test_a_poll_of_a_quiet_log_returns_nothing_after_its_timeout(log: LogUnderTest) -> None:
    member = GroupMember(log, "persister")
    member.poll_until(lambda: member.held == ALL)

    assert list(member.port.poll(0.05, 100)) == []


def test_after_a_seek_the_next_poll_goes_on_from_there(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 10) + values_in(1, 10))
    member = GroupMember(log, "persister")
    member.poll_until(lambda: len(member.records) == 20)
    member.records.clear()
    member.port.seek({0: 4})
    member.poll_until(lambda: len(member.records) == 6)

    assert member.values() == [f"0/{n}".encode() for n in range(4, 10)]


def test_a_seek_forgets_what_was_fetched_and_not_yet_polled(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 50))
    member = GroupMember(log, "persister")
    wait_until(lambda: len(member.records) >= 10, meanwhile=lambda: member.poll(limit=5))
    for target in (2, 40, 7):
        member.port.seek({0: target})
        member.records.clear()
        wait_until(lambda: member.records, meanwhile=lambda: member.poll(limit=5))
        assert member.records[0].offset == target


def test_a_seek_in_a_partition_of_another_member_is_nothing(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 2))
    member = GroupMember(log, "persister")
    member.poll_until(lambda: len(member.records) == 2)
    member.port.seek({PARTITIONS + 5: 0})
    append_all(log.writer(), values_in(0, 1, start=2))
    member.poll_until(lambda: len(member.records) == 3)


def test_commits_are_for_lag_tools_and_change_nothing(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 4))
    member = GroupMember(log, "persister")
    member.poll_until(lambda: len(member.records) == 4)
    member.port.commit({0: 2})
    append_all(log.writer(), values_in(0, 1, start=4))
    member.poll_until(lambda: len(member.records) == 5)

    assert member.values() == [f"0/{n}".encode() for n in range(5)]


def test_two_members_share_the_partitions_and_each_record_is_read_by_one(log: LogUnderTest) -> None:
    one = GroupMember(log, "persister")
    one.poll_until(lambda: one.held == ALL)
    other = GroupMember(log, "persister")

    def poll_both() -> None:
        one.poll()
        other.poll()

    wait_until(lambda: one.held and other.held and one.held | other.held == ALL, meanwhile=poll_both)
    assert not one.held & other.held
    assert set(one.revoked) == other.held

    append_all(log.writer(), [*values_in(0, 10), *values_in(1, 10), *values_in(2, 10)])
    wait_until(lambda: len(one.records) + len(other.records) == 30, meanwhile=poll_both)
    assert {r.partition for r in one.records} == one.held
    assert {r.partition for r in other.records} == other.held


def test_when_a_member_leaves_its_partitions_move(log: LogUnderTest) -> None:
    one, other = GroupMember(log, "persister"), GroupMember(log, "persister")

    def poll_both() -> None:
        one.poll()
        other.poll()

    wait_until(lambda: one.held and other.held and one.held | other.held == ALL, meanwhile=poll_both)
    shared = set(other.held)
    other.port.close()
    assert other.held == set()
    assert shared <= set(other.revoked)

    one.poll_until(lambda: one.held == ALL)
    append_all(log.writer(), [*values_in(0, 1), *values_in(1, 1), *values_in(2, 1)])
    one.poll_until(lambda: len(one.records) == 3)


def test_groups_of_other_names_read_everything_each(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 3))
    for name in ("persister", "auditor"):
        member = GroupMember(log, name)
        member.poll_until(lambda member=member: len(member.records) == 3)  # type: ignore[misc]  # bound for the loop


def test_an_error_of_assigned_comes_out_of_the_poll(log: LogUnderTest) -> None:
    class Stopped(Exception):
        pass

    def assigned(partitions: Sequence[int]) -> Mapping[int, int]:
        raise Stopped

    revoked: list[Sequence[int]] = []
    member = log.group("persister", assigned=assigned, revoked=revoked.append)
    with pytest.raises(Stopped):
        wait_until(lambda: False, meanwhile=lambda: member.poll(0.1, 100))


@pytest.mark.parametrize("offset", [1, 6])
def test_an_offset_past_retention_or_beyond_the_end_is_gone(log: LogUnderTest, offset: int) -> None:
    append_all(log.writer(), values_in(0, 5))
    log.drop_before(0, 3)
    member = GroupMember(log, "persister", {0: offset})
    with pytest.raises(OffsetGone):
        member.poll_until(lambda: member.records)


def test_what_retention_drops_before_it_was_read_is_gone(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 3))
    member = GroupMember(log, "persister", {0: 3})
    member.poll_until(lambda: member.held == ALL)
    append_all(log.writer(), values_in(1, 1))
    member.poll_until(lambda: len(member.records) == 1)
    log.drop_before(0, 3)
    member.port.seek({0: 0})
    with pytest.raises(OffsetGone):
        member.poll_until(lambda: len(member.records) > 1)


def test_a_partition_that_is_added_is_nobodys_and_the_others_go_on(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 2))
    one = GroupMember(log, "persister")
    one.poll_until(lambda: len(one.records) == 2)
    log.add_partition(b"of another producer")
    other = GroupMember(log, "persister")

    def poll_both() -> None:
        one.poll()
        other.poll()

    wait_until(lambda: one.held and other.held and one.held | other.held == ALL, meanwhile=poll_both)
    append_all(log.writer(), [*values_in(0, 10, start=2), *values_in(1, 10), *values_in(2, 10)])
    wait_until(lambda: len(one.records) + len(other.records) == 32, meanwhile=poll_both)
    other.port.close()
    one.poll_until(lambda: one.held == ALL)
    append_all(log.writer(), values_in(1, 1, start=10) + values_in(2, 1, start=10))
    one.poll_until(lambda: {b"1/10", b"2/10"} <= set(one.values()))

    assert {record.partition for record in [*one.records, *other.records]} == ALL
