"""Output partitions are Kafka's own choice by key."""

import pytest

from moderator.stream.kafka.producing.partitioning import Partitioner

TOPIC = "moderation.flag"


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # from the tests of Kafka's Java client, sign bit cleared
        (b"21", -973932308 & 0x7FFF_FFFF),
        (b"foobar", -790332482 & 0x7FFF_FFFF),
        (b"a-little-bit-long-string", -985981536 & 0x7FFF_FFFF),
    ],
)
def test_a_key_goes_where_kafkas_own_clients_would_send_it(key: bytes, hashed: int) -> None:
    partitioner = Partitioner({TOPIC: 7})

    chosen = [partitioner.partition(TOPIC, key, source_partition=3) for _ in range(2)]

    assert chosen == [hashed % 7] * 2


def test_without_a_key_the_input_partition_decides() -> None:
    partitioner = Partitioner({TOPIC: 4})

    assert [partitioner.partition(TOPIC, None, number) for number in range(6)] == [0, 1, 2, 3, 0, 1]


def test_a_topic_that_has_grown_is_used_whole() -> None:
    partitioner = Partitioner({TOPIC: 1})
    before = partitioner.partition(TOPIC, b"21", 0)

    partitioner.counts = {TOPIC: 7}

    assert (before, partitioner.partition(TOPIC, b"21", 0)) == (0, (-973932308 & 0x7FFF_FFFF) % 7)


def test_keys_without_end_do_not_fill_the_memory() -> None:
    partitioner = Partitioner({TOPIC: 7})
    partitioner._hashes = {b"key-%d" % number: 0 for number in range(100_000)}

    partitioner.partition(TOPIC, b"one more", 0)

    assert len(partitioner._hashes) <= 100_000
