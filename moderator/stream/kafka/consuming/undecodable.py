"""Find the batch that the client cannot decode, and the first readable record after it."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaTimeoutError

from moderator.events import Partition

UNDECODABLE = (CorruptRecordError,)
"""What the client raises for damaged bytes."""
_POLL_MS = 500
_ANSWER_S = 10.0
_SEARCH_S = 30.0
"""How long to search for the next readable record; each offset takes some hundredths of a second."""


class Undecodable(NamedTuple):
    """Offsets `offset` to `resume_at - 1` cannot be read: a batch is decoded from its start, or not at all.

    `resume_at` may be in the same batch when that is a large one; no readable record comes before it.
    """

    partition: Partition
    offset: int
    resume_at: int


def find_undecodable(
    connect_reader: Callable[[], KafkaConsumer], positions: Mapping[TopicPartition, int]
) -> Undecodable | None:
    """Read from each position; give the first record that cannot be decoded, None when all can.

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
    """Try offset after offset until one can be read; give the end where none can, or where the time was over.

    INVARIANT: every offset is tried. Readable records may lie between two damaged batches.
    """
    end: int = reader.end_offsets([partition], timeout_ms=_ANSWER_S * 1_000)[partition]
    deadline_s = time.monotonic() + _SEARCH_S
    while offset < end and time.monotonic() < deadline_s and not _is_readable(reader, partition, offset, end):
        offset += 1
    return offset


def _is_readable(reader: KafkaConsumer, partition: TopicPartition, offset: int, end: int) -> bool:
    # A seek lets a consumer leave a damaged batch; to poll again at the same offset would never return.
    reader.seek(partition, offset)
    deadline_s = time.monotonic() + _ANSWER_S
    try:
        while not reader.poll(_POLL_MS, max_records=1) and reader.position(partition) < end:
            if time.monotonic() > deadline_s:
                raise KafkaTimeoutError("no answer during the search for what cannot be decoded")
    except UNDECODABLE:
        return False
    return True
