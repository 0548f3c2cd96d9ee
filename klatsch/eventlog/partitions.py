"""A key's partition: Kafka's own murmur2, as Java's tools compute it, modulo the epoch's number of partitions (D2).

Neither the driver nor live metadata decides a partition: partitions may be added to the topic at any time.
"""

from functools import lru_cache

_REMEMBERED_MOST = 16_384
"""The keys whose partition is cached: 5 MB. murmur2 of an id takes 4 µs, and each message needs it."""

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """Returns Kafka's hash of a key (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned 32-bit number."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if tail := data[whole:]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


@lru_cache(_REMEMBERED_MOST)
def partition_of(key: bytes, partitions: int) -> int:
    """Returns the partition of `key` among the `partitions` of the epoch."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
