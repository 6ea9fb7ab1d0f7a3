"""What the brokers hold of partitions: beginnings, ends, and where the log parts from a position's epoch."""

from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition

from moderator.stream.kafka.consuming.client_state import epoch_ends, leader_epoch, topic_id
from moderator.stream.kafka.consuming.position import PartitionLog

_ANSWER_S = 2.0


def read_logs(
    consumer: KafkaConsumer, epochs: Mapping[TopicPartition, int | None], timeout_s: float = _ANSWER_S
) -> dict[TopicPartition, PartitionLog]:
    """Describe each partition's log, for a position of the given epoch; None: not known.

    The leader's log is compared, and not what may be read of it: after an election that is less for a moment, and an
    open transaction hides what another tool may have set the position to.

    Raises:
        KafkaError: no answer, or a partition has no leader.
    """
    partitions = list(epochs)
    leaders = {partition: leader_epoch(consumer, partition) for partition in partitions}
    known = {partition: epoch for partition, epoch in epochs.items() if epoch is not None}
    log_ends = epoch_ends(consumer, leaders, timeout_s)
    parted = epoch_ends(consumer, known, timeout_s) if known else {}
    beginnings = consumer.beginning_offsets(partitions, timeout_ms=timeout_s * 1_000)
    ends = consumer.end_offsets(partitions, timeout_ms=timeout_s * 1_000)
    return {
        partition: PartitionLog(
            topic_id(consumer, partition.topic),
            beginnings[partition],
            ends[partition],
            log_ends[partition].offset,
            leaders[partition],
            parted[partition].offset if partition in parted and parted[partition].offset >= 0 else None,
        )
        for partition in partitions
    }
