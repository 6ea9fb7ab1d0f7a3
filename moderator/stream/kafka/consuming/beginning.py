"""Where a new group begins: written down before anything is read, so that no restart and no rebalance begins anew."""

from collections.abc import Callable
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from moderator.observability.logging import get_logger

log = get_logger(__name__)

_NO_EPOCH = -1
_ANSWER_MS = 20_000
"""Longer than the 14 s that brokers take to end a transaction which another replica's crash left open."""


def begin_at_the_end(connect: Callable[[], KafkaConsumer], topic: str) -> None:
    """Commit the end of each partition for a group that has committed nothing yet; another group stays as it is.

    Left to the client, `latest` means the end as it is found whenever a partition without a committed offset is
    assigned: what came before a first commit would be skipped by a restart, as would a new partition's first events.

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
            beginnings = {partition: OffsetAndMetadata(end, "", _NO_EPOCH) for partition, end in ends.items()}
            consumer.commit(beginnings, timeout_ms=_ANSWER_MS)
        except (CommitFailedError, UnknownMemberIdError):
            log.info("group_has_begun", hint="another replica was quicker, and is at work")
        else:
            log.info("group_begins_at_the_end", offsets={partition.partition: end for partition, end in ends.items()})
