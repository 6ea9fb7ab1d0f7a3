"""Find the batch that the client cannot decode, and where the readable records go on after it."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaTimeoutError

from moderator.events import Partition

UNDECODABLE = (CorruptRecordError, UnicodeDecodeError)
"""What the client raises for damaged bytes, and for a header key that is not UTF-8."""
_LOOK_MS = 500
_PATIENCE_S = 10.0
_SEARCH_S = 30.0
"""How long to look for where readable records go on; an offset takes some thousandths of it."""


class Undecodable(NamedTuple):
    """Offsets `offset` to `resume_at - 1` cannot be read: a batch is decoded from its start, or not at all.

    `resume_at` may lie in the same batch when it is a large one; it never lies beyond anything readable.
    """

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
        with closing(connect_reader()) as reader:
            reader.assign([partition])
            resume_at = _first_readable(reader, partition, offset)
        if resume_at > offset:
            return Undecodable(Partition(*partition), offset, resume_at)
    return None


def skip_command(found: Undecodable, group_id: str) -> str:
    """Give the command of Kafka's own tools that moves the group past it."""
    topic, number = found.partition
    return (
        f"kafka-consumer-groups.sh --bootstrap-server BROKER --group {group_id} --topic {topic}:{number} "
        f"--reset-offsets --to-offset {found.resume_at} --execute"
    )


def _first_readable(reader: KafkaConsumer, partition: TopicPartition, offset: int) -> int:
    """Step on until a record can be read; give the end where none can, or where the search ended.

    INVARIANT: every offset is tried. What follows a bad batch may be good, and precede the next bad one.
    """
    end: int = reader.end_offsets([partition], timeout_ms=_PATIENCE_S * 1_000)[partition]
    deadline_s = time.monotonic() + _SEARCH_S
    while offset < end and time.monotonic() < deadline_s and not _is_readable(reader, partition, offset, end):
        offset += 1
    return offset


def _is_readable(reader: KafkaConsumer, partition: TopicPartition, offset: int, end: int) -> bool:
    # Seeking on frees a consumer from a bad batch; polling again where it met one would never return.
    reader.seek(partition, offset)
    deadline_s = time.monotonic() + _PATIENCE_S
    try:
        while not reader.poll(_LOOK_MS, max_records=1) and reader.position(partition) < end:
            if time.monotonic() > deadline_s:
                raise KafkaTimeoutError("no answer while looking for what cannot be decoded")
    except UNDECODABLE:
        return False
    return True
