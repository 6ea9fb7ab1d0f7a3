"""Where a new group starts: committed before anything is read, so that no restart or rebalance changes it."""

from collections.abc import Callable
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from moderator.observability.logging import get_logger

log = get_logger(__name__)

_NO_EPOCH = -1
_ANSWER_MS = 20_000
"""Longer than the 14 s that brokers need to end a transaction which another replica's crash left open."""


def commit_end_for_new_group(connect: Callable[[], KafkaConsumer], topic: str) -> None:
    """Commit the end of each partition for a group that has committed nothing yet; any other group is not changed.

    The client's own `latest` uses the end at the time when a partition without a committed offset is assigned: a
    restart would skip what came before a first commit, and the first events of a new partition.

    Args:
        connect: makes a consumer with the group's name that joins no group.
        topic: the events topic.

    Raises:
        KafkaError: the brokers do not answer.
    """
    with closing(connect()) as consumer:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
        consumer.assign(partitions)
        if any(consumer.committed(partition, timeout_ms=_ANSWER_MS) is not None for partition in partitions):
            return
        ends: dict[TopicPartition, int] = consumer.end_offsets(partitions, timeout_ms=_ANSWER_MS)
        try:
            starts = {partition: OffsetAndMetadata(end, "", _NO_EPOCH) for partition, end in ends.items()}
            consumer.commit(starts, timeout_ms=_ANSWER_MS)
        except (CommitFailedError, UnknownMemberIdError):
            log.info("group_has_begun", hint="another replica did it first")
        else:
            log.info("group_begins_at_the_end", offsets={partition.partition: end for partition, end in ends.items()})
