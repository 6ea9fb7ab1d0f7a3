"""Reads ranges of offsets whose ends were fixed before, outside of any group: what is committed, and nothing later."""

import time
from collections.abc import Callable, Mapping, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from moderator.errors import ConfigurationError, StoppedError, UndecodableBatchError
from moderator.events import Partition, PartitionSpan, PolledSpan, Record
from moderator.stream.kafka.connection import record_of
from moderator.stream.kafka.consuming.client_state import position_of
from moderator.stream.kafka.consuming.undecodable import UNDECODABLE
from moderator.stream.kafka.ranges.decision_range import Bounds, DecisionRange, OffsetRanges

_ANSWER_MS = 10_000
_STALLED_S = 60.0
_POLLS_A_SECOND = 4
"""With a rate, so often are records given: a burst is a quarter of a second's."""
_LARGEST_POLL = 2_000
_ASSIGNMENT_EPOCH = 1

Ends = dict[Partition, tuple[int, int]]
"""The first offset and the one after the last, by partition."""
Selects = Callable[[Record], bool]


class FrozenRange:
    """`pipeline.ports.Source` over ranges that end. One thread owns it.

    Args:
        consumer: joins no group; closed by `close`.
        ends: what to read.
        selects: which records count; the others are passed over. None: all.
        rate: records a second at most; None: as fast as they come.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        ends: Ends,
        *,
        selects: Selects | None = None,
        rate: int | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._consumer = consumer
        self._selects = selects
        self._rate = rate
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._left = {TopicPartition(*each): end for each, (start, end) in ends.items() if start < end}
        self._given = {each: ends[Partition(*each)][0] for each in self._left}
        self._moved_at_s = monotonic_s()
        self._next_at_s = 0.0
        self._is_paused = False
        consumer.assign(list(self._left))
        for each, start in self._given.items():
            consumer.seek(each, start)

    @property
    def is_exhausted(self) -> bool:
        """All was given."""
        return not self._left

    @property
    def offsets_left(self) -> int:
        """How many offsets are still to be given."""
        return sum(end - self._given[each] for each, end in self._left.items())

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        """Give what has arrived, in order within each partition; the last span of each ends where its range ends.

        Raises:
            StoppedError: the brokers have not answered for a minute, or refuse.
            UndecodableBatchError: the client cannot decode a batch that the broker holds.
        """
        wait_s = self._next_at_s - self._monotonic_s()
        if self._is_paused or wait_s > 0 or not self._left:
            self._sleep(min(timeout_ms / 1_000, wait_s) if wait_s > 0 else timeout_ms / 1_000)
            self._moved_at_s = self._monotonic_s()
            return []
        polled = self._poll(timeout_ms)
        spans = [span for each in list(self._left) if (span := self._span(each, polled.get(each, ())))]
        if spans:
            self._moved_at_s = self._monotonic_s()
        elif self._monotonic_s() - self._moved_at_s > _STALLED_S:
            raise StoppedError(f"Kafka has not answered for {_STALLED_S:.0f} s")
        if self._rate:
            self._next_at_s = self._monotonic_s() + sum(len(span.items) for span in spans) / self._rate
        return spans

    def pause(self) -> None:
        """Give nothing until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._is_paused = False

    def close(self) -> None:
        """Close the consumer; commits nothing."""
        self._consumer.close(autocommit=False)

    @property
    def _poll_records(self) -> int:
        return min(_LARGEST_POLL, max(1, self._rate // _POLLS_A_SECOND)) if self._rate else _LARGEST_POLL

    def _poll(self, timeout_ms: int) -> Mapping[TopicPartition, Sequence[object]]:
        try:
            polled: Mapping[TopicPartition, Sequence[object]] = self._consumer.poll(
                timeout_ms, max_records=self._poll_records
            )
        except UNDECODABLE as error:
            raise UndecodableBatchError(
                f"a batch of records cannot be decoded ({type(error).__name__}); it is at or after one of "
                f"{self._places()}: choose offsets that exclude it"
            ) from error
        except OffsetOutOfRangeError as error:
            raise StoppedError(
                f"records of the range are not in the log any more, at or after one of {self._places()}: retention has "
                "deleted them while they were waiting to be read"
            ) from error
        except KafkaError as error:
            raise StoppedError(f"Kafka refuses: `{error}`") from error
        return polled

    def _places(self) -> str:
        return ", ".join(f"`{each.topic}/{each.partition}@{offset}`" for each, offset in self._given.items())

    def _span(self, partition: TopicPartition, polled: Sequence[object]) -> PolledSpan | None:
        """Give what was passed of a partition since the last poll; None for nothing."""
        end = self._left[partition]
        position = position_of(self._consumer, partition)
        reached = min(end, position.offset if position else 0)
        if reached <= self._given[partition]:
            return None
        self._given[partition] = reached
        if reached == end:
            del self._left[partition], self._given[partition]
            self._consumer.pause(partition)
        records = [record for record in map(record_of, polled) if record.offset < end]
        if self._selects:
            records = [record for record in records if self._selects(record)]
        epoch = position.leader_epoch if position else -1
        return PartitionSpan(Partition(*partition), _ASSIGNMENT_EPOCH, reached, records, epoch)


def resolve(reader: KafkaConsumer, topics: Sequence[str], wanted: DecisionRange) -> Ends:
    """Turn a range into offsets that exist now.

    Raises:
        ConfigurationError: a topic or partition is missing.
        KafkaError: the brokers do not answer.
    """
    if isinstance(wanted, Bounds):
        starts_at, ends_at = (resolve(reader, topics, each) for each in (wanted.start, wanted.until))
        return {each: (starts_at[each][0], ends_at[each][1]) for each in starts_at if each in ends_at}
    if isinstance(wanted, OffsetRanges):
        chosen = [TopicPartition(*partition) for partition in wanted.ranges]
    else:
        chosen = [TopicPartition(*partition) for partition in partitions_of(reader, topics)]
    for partition in chosen:
        if partition.partition not in _partitions(reader, partition.topic):
            raise ConfigurationError(f"topic `{partition.topic}` has no partition {partition.partition}")
    firsts = reader.beginning_offsets(chosen, timeout_ms=_ANSWER_MS)
    lasts = reader.end_offsets(chosen, timeout_ms=_ANSWER_MS)
    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    if isinstance(wanted, OffsetRanges):
        spans = {TopicPartition(*each): span for each, span in wanted.ranges.items()}
        starts = {each: _given(start, firsts[each]) for each, (start, _) in spans.items()}
        ends = {each: _given(end, lasts[each]) for each, (_, end) in spans.items()}
    else:
        starts = firsts if wanted.start_ms is None else _at(reader, wanted.start_ms, lasts)
        ends = lasts if wanted.until_ms is None else _at(reader, wanted.until_ms, lasts)
    return {
        Partition(*each): (max(firsts[each], starts[each]), max(firsts[each], min(lasts[each], ends[each])))
        for each in chosen
    }


def partitions_of(reader: KafkaConsumer, topics: Sequence[str]) -> list[Partition]:
    """Give every partition of the topics.

    Raises:
        ConfigurationError: a topic is missing.
    """
    return [Partition(topic, number) for topic in topics for number in sorted(_partitions(reader, topic))]


def count(ends: Ends) -> int:
    """Give how many offsets there are to read; a few of them hold no record but a transaction's marker."""
    return sum(max(0, end - start) for start, end in ends.values())


def _partitions(reader: KafkaConsumer, topic: str) -> set[int]:
    partitions: set[int] = reader.partitions_for_topic(topic)
    if not partitions:
        raise ConfigurationError(f"there is no topic `{topic}`, or we may not read it: name another")
    return partitions


def _at(reader: KafkaConsumer, time_ms: int, lasts: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Give each partition's first offset at a time or after it, its end where there is none."""
    found = reader.offsets_for_times(dict.fromkeys(lasts, time_ms), timeout_ms=_ANSWER_MS)
    return {each: found[each].offset if found.get(each) else last for each, last in lasts.items()}


def _given(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset
