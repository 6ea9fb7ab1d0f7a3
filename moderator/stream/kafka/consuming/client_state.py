"""What we need of Kafka's client and it gives no public name: positions and their epochs, topic ids, heartbeats.

The only file that reads the client's private parts for it; kafka-python is pinned for that reason among others.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, LeaderNotAvailableError, NoError, for_code
from kafka.protocol.consumer import OffsetForLeaderEpochRequest
from kafka.structs import OffsetAndMetadata

NO_EPOCH = -1
_CONSUMER = -1
_ASK_AGAIN_AFTER_S = 0.1
_AskedTopic = OffsetForLeaderEpochRequest.OffsetForLeaderTopic
_AskedPartition = _AskedTopic.OffsetForLeaderPartition


class EpochEnd(NamedTuple):
    """Where the records of a leader's epoch end in the log, and the epoch there; both -1: the broker does not know."""

    epoch: int
    offset: int


def position_of(consumer: KafkaConsumer, partition: TopicPartition) -> OffsetAndMetadata | None:
    """Give the offset to read next and the epoch of what was read last; None for a partition that is not ours.

    The client's own `position` asks the broker where it knows none, and raises each truncation only once.
    """
    state = consumer._subscription.assignment.get(partition)  # noqa: SLF001 - see the file's head
    return None if state is None else state.position


def restore_epochs(consumer: KafkaConsumer, partitions: Collection[TopicPartition]) -> None:
    """Give each position that has lost its epoch the leader's.

    The client drops the epoch with an answer that holds no records, such as one that only moves the end. Without it
    neither client nor broker notices a log that was cut and written again.
    """
    for partition in partitions:
        state = consumer._subscription.assignment.get(partition)  # noqa: SLF001 - see the file's head
        if state is None or state.position is None or state.position.leader_epoch != NO_EPOCH:
            continue
        epoch = leader_epoch(consumer, partition)
        if epoch != NO_EPOCH:
            state.position = OffsetAndMetadata(state.position.offset, "", epoch)


def topic_id(consumer: KafkaConsumer, topic: str) -> str | None:
    """Give the id that a topic keeps for as long as it exists; None while the client knows no such topic."""
    known = consumer._cluster.topic_id(topic)  # noqa: SLF001 - see the file's head
    exists = consumer._cluster.partitions_for_topic(topic) is not None  # noqa: SLF001 - see the file's head
    return str(known) if known and exists else None


def is_led(consumer: KafkaConsumer, partition: TopicPartition) -> bool:
    """Check whether the client knows a leader of the partition and its number."""
    leader: int | None = consumer._cluster.leader_for_partition(partition)  # noqa: SLF001 - see the file's head
    return leader is not None and leader >= 0 and leader_epoch(consumer, partition) != NO_EPOCH


def leader_epoch(consumer: KafkaConsumer, partition: TopicPartition) -> int:
    """Give the number of the partition's present leader; -1 while the client does not know it."""
    epoch: int | None = consumer._cluster.leader_epoch_for_partition(partition)  # noqa: SLF001 - see the file's head
    return NO_EPOCH if epoch is None else epoch


def committed(
    consumer: KafkaConsumer, partitions: Collection[TopicPartition], timeout_s: float
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Ask for the group's positions, with metadata, in one request; partitions without one are left out.

    The client's own question keeps why it got no answer to itself: it raises a time-out without a word.

    Raises:
        KafkaError: what the coordinator answered last, such as that a transaction that is still open hides one;
            KafkaTimeoutError: it gave no answer, or none was found.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - see the file's head
    found: dict[TopicPartition, OffsetAndMetadata] = consumer._net.run(  # noqa: SLF001 - see the file's head
        _ask_committed, coordinator, list(partitions), timeout_s
    )
    return found


def epoch_ends(
    consumer: KafkaConsumer, epochs: Mapping[TopicPartition, int], timeout_s: float
) -> dict[TopicPartition, EpochEnd]:
    """Ask the leaders where the records of an epoch, or of the last one before it, end.

    Raises:
        KafkaError: no answer, or another broker leads a partition by now.
    """
    by_leader: dict[int, dict[TopicPartition, int]] = defaultdict(dict)
    for partition, epoch in epochs.items():
        by_leader[_leader(consumer, partition)][partition] = epoch
    ends: dict[TopicPartition, EpochEnd] = {}
    for node, asked in by_leader.items():
        ends |= _read_ends(consumer, _ask(consumer, node, _request(consumer, asked), timeout_s))
    return ends


def take_pending_error(
    consumer: KafkaConsumer, kinds: tuple[type[Exception], ...]
) -> tuple[TopicPartition, Exception] | None:
    """Give what the next poll would raise, if it is of these kinds, and let it not be raised.

    The client forgets it where the partition is paused meanwhile, and then polls that partition without an end.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - see the file's head
    pending = fetcher._next_in_line_exception_metadata  # noqa: SLF001
    if pending is None or pending.partition is None or not isinstance(pending.exception, kinds):
        return None
    fetcher._next_in_line_exception_metadata = None  # noqa: SLF001
    return pending.partition, pending.exception


def partition_in_line(consumer: KafkaConsumer) -> TopicPartition | None:
    """Give the partition whose records the client was decoding when the last poll raised; None where it is unknown."""
    records = consumer._fetcher._next_partition_records  # noqa: SLF001 - see the file's head
    return None if records is None else records.topic_partition


def heartbeat_answered_s(consumer: KafkaConsumer) -> float:
    """Give when the coordinator last answered a heartbeat or let us join, monotonic seconds."""
    heartbeat = consumer._coordinator.heartbeat  # noqa: SLF001 - see the file's head
    return float(max(heartbeat.last_receive, heartbeat.last_reset))


def must_rejoin(consumer: KafkaConsumer) -> bool:
    """Check whether the next poll joins the group again, so that another member may get what is ours."""
    return bool(consumer._coordinator.rejoin_needed)  # noqa: SLF001 - see the file's head


def update_metadata(consumer: KafkaConsumer) -> None:
    """Let the client learn soon which topics and leaders there are."""
    consumer._cluster.request_update()  # noqa: SLF001 - see the file's head


async def _ask_committed(
    coordinator: Any, partitions: list[TopicPartition], timeout_s: float
) -> dict[TopicPartition, OffsetAndMetadata]:
    manager = coordinator._manager  # noqa: SLF001 - see the file's head
    until_s = time.monotonic() + timeout_s
    while True:
        if not await coordinator.ensure_coordinator_ready_async(timeout_ms=_left_ms(until_s)):
            raise KafkaTimeoutError(f"no coordinator of the group was found within {timeout_s:g} s")
        asked = manager.call_soon(coordinator._send_offset_fetch_request, partitions)  # noqa: SLF001 - see the file's head
        try:
            found: dict[TopicPartition, OffsetAndMetadata] = await manager.wait_for(asked, _left_ms(until_s))
        except KafkaTimeoutError as error:
            raise KafkaTimeoutError(f"the group's coordinator gave no answer within {timeout_s:g} s") from error
        except KafkaError as error:
            if not error.retriable or time.monotonic() + _ASK_AGAIN_AFTER_S >= until_s:
                raise
        else:
            return found
        await manager._net.sleep(_ASK_AGAIN_AFTER_S)  # noqa: SLF001 - see the file's head


def _left_ms(until_s: float) -> float:
    return max(0.0, until_s - time.monotonic()) * 1_000


def _leader(consumer: KafkaConsumer, partition: TopicPartition) -> int:
    if not is_led(consumer, partition):
        update_metadata(consumer)
        raise LeaderNotAvailableError(f"partition {partition.partition} of topic `{partition.topic}` has no leader")
    return int(consumer._cluster.leader_for_partition(partition))  # noqa: SLF001 - see the file's head


def _request(consumer: KafkaConsumer, epochs: Mapping[TopicPartition, int]) -> OffsetForLeaderEpochRequest:
    by_topic: dict[str, list[Any]] = defaultdict(list)
    for partition, epoch in epochs.items():
        by_topic[partition.topic].append(
            _AskedPartition(
                partition=partition.partition,
                current_leader_epoch=leader_epoch(consumer, partition),
                leader_epoch=epoch,
            )
        )
    topics = [_AskedTopic(topic=topic, partitions=partitions) for topic, partitions in by_topic.items()]
    return OffsetForLeaderEpochRequest(replica_id=_CONSUMER, topics=topics)


def _ask(consumer: KafkaConsumer, node: int, request: OffsetForLeaderEpochRequest, timeout_s: float) -> Any:
    manager = consumer._manager  # noqa: SLF001 - see the file's head

    async def ask() -> Any:
        return await manager.wait_for(manager.send(request, node_id=node), timeout_s * 1_000)

    return consumer._net.run(ask)  # noqa: SLF001 - see the file's head


def _read_ends(consumer: KafkaConsumer, response: Any) -> dict[TopicPartition, EpochEnd]:
    ends = {}
    for topic in response.topics:
        for each in topic.partitions:
            error: type[KafkaError] = for_code(each.error_code)
            if error is not NoError:
                update_metadata(consumer)
                raise error(f"partition {each.partition} of topic `{topic.topic}`")
            ends[TopicPartition(topic.topic, each.partition)] = EpochEnd(each.leader_epoch, each.end_offset)
    return ends
