"""Where a key lives, by Kafka's own hash; that librdkafka agrees is shown in tests/contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.partitions import murmur2, partition_of


def signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


@pytest.mark.parametrize(
    ("key", "published"),
    [
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_values_that_kafka_publishes(key: bytes, published: int) -> None:
    assert signed(murmur2(key)) == published


@given(st.binary(max_size=80), st.integers(1, 1_000))
def test_every_key_lives_in_one_of_the_partitions(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_conversations_are_spread_over_all_partitions() -> None:
    keys = [f"00000000-0000-4000-8000-{number:012x}".encode() for number in range(1_200)]
    counts = [0] * 12
    for key in keys:
        counts[partition_of(key, 12)] += 1

    assert min(counts) > 60
