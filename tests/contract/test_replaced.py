"""Readers that read no more without saying so: another takes over where they stood, and nothing comes twice."""

import contextlib

from confluent_kafka import TopicPartition
from prometheus_client import REGISTRY

from klatsch.eventlog.kafka_reader import KafkaGroup
from tests.support.logs import PARTITIONS, Delivered, GroupMember, KafkaUnderTest, LogUnderTest, append_all, values_in
from tests.support.waiting import wait_until

FROM_THE_BEGINNING = dict.fromkeys(range(PARTITIONS), 0)


def replaced(client: str) -> float:
    return REGISTRY.get_sample_value("klatsch_log_clients_replaced_total", {"client": client}) or 0.0


def test_a_tail_that_reads_a_partition_no_more_is_replaced_at_its_own_offset(log: LogUnderTest) -> None:
    before = replaced("tail")
    writer, read = log.writer(), Delivered()
    append_all(writer, values_in(0, 5) + values_in(1, 5))
    tail = log.tail()
    tail.start(FROM_THE_BEGINNING, read.deliver, read.failures.append)
    wait_until(lambda: len(read.records) == 10)
    log.make_deaf(tail, 0)
    append_all(writer, values_in(0, 5, start=5) + values_in(1, 5, start=5))
    wait_until(lambda: len(read.records) >= 20)
    append_all(writer, values_in(0, 1, start=10) + values_in(2, 1))
    wait_until(lambda: len(read.records) >= 22)

    assert [read.values(partition) for partition in range(PARTITIONS)] == [
        [f"0/{number}".encode() for number in range(11)],
        [f"1/{number}".encode() for number in range(10)],
        [b"2/0"],
    ]
    assert read.failures == []
    assert replaced("tail") == before + 1


def test_a_group_member_that_reads_a_partition_no_more_leaves_and_joins_anew(kafka: object) -> None:
    before = replaced("group")
    log = KafkaUnderTest()
    with contextlib.closing(log):
        member, writer = GroupMember(log, "persister"), log.writer()
        append_all(writer, values_in(0, 5) + values_in(1, 5))
        member.poll_until(lambda: len(member.records) == 10)
        assert isinstance(member.port, KafkaGroup)
        member.port.consumer.pause([TopicPartition(log.topic, 0)])
        append_all(writer, values_in(0, 5, start=5) + values_in(1, 5, start=5))
        member.poll_until(lambda: len(member.records) >= 20)

        assert sorted(member.revoked) == list(range(PARTITIONS))
        assert [r.value for r in member.records if r.partition == 0] == [f"0/{n}".encode() for n in range(10)]
        assert [r.value for r in member.records if r.partition == 1] == [f"1/{n}".encode() for n in range(10)]
        assert replaced("group") == before + 1
