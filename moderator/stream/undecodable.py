"""Find the batch that the client cannot decode, and where the readable records go on after it.

A consumer that met such a batch is spent: it would loop for ever inside its next poll. So every look takes a new one.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaTimeoutError

from moderator.events import Partition

UNDECODABLE = (CorruptRecordError, UnicodeDecodeError)
"""What the client raises for damaged bytes, and for a header key that is not UTF-8."""
_LOOK_MS = 500
_PATIENCE_S = 10.0


class Undecodable(NamedTuple):
    """Offsets `offset` to `resume_at - 1` cannot be read: a batch is decoded from its start, or not at all."""

    partition: Partition
    offset: int
    resume_at: int


def find_undecodable(
    connect_reader: Callable[[], KafkaConsumer], positions: Mapping[TopicPartition, int]
) -> Undecodable | None:
    """Read on from each position; give the first that cannot be decoded, None when all can.

    Raises:
        KafkaError: the broker does not answer.
    """
    for partition, offset in positions.items():
        if not _is_readable(connect_reader, partition, offset):
            return Undecodable(Partition(*partition), offset, _resume_at(connect_reader, partition, offset))
    return None


def skip_command(found: Undecodable, group_id: str) -> str:
    """Give the command of Kafka's own tools that moves the group past it."""
    topic, number = found.partition
    return (
        f"kafka-consumer-groups.sh --bootstrap-server BROKER --group {group_id} --topic {topic}:{number} "
        f"--reset-offsets --to-offset {found.resume_at} --execute"
    )


def _resume_at(connect_reader: Callable[[], KafkaConsumer], partition: TopicPartition, unreadable: int) -> int:
    """Halve the way to the end until the first readable offset is left."""
    readable = _end(connect_reader, partition)
    while readable - unreadable > 1:
        middle = (unreadable + readable) // 2
        if _is_readable(connect_reader, partition, middle):
            readable = middle
        else:
            unreadable = middle
    return readable


def _end(connect_reader: Callable[[], KafkaConsumer], partition: TopicPartition) -> int:
    reader = connect_reader()
    try:
        end: int = reader.end_offsets([partition], timeout_ms=_PATIENCE_S * 1_000)[partition]
        return end
    finally:
        reader.close()


def _is_readable(connect_reader: Callable[[], KafkaConsumer], partition: TopicPartition, offset: int) -> bool:
    end = _end(connect_reader, partition)
    reader = connect_reader()
    try:
        reader.assign([partition])
        reader.seek(partition, offset)
        deadline_s = time.monotonic() + _PATIENCE_S
        while not reader.poll(_LOOK_MS, max_records=1) and reader.position(partition) < end:
            if time.monotonic() > deadline_s:
                raise KafkaTimeoutError("no answer while looking for what cannot be decoded")
    except UNDECODABLE:
        return False
    else:
        return True
    finally:
        reader.close()
