"""Ranges with an end: given in order, whole, and no faster than asked."""

from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition
from kafka.errors import OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from moderator.errors import StoppedError
from moderator.events import Partition
from moderator.stream.kafka.ranges.frozen_range import FrozenRange
from moderator.testing import ManualClock

PARTITION = TopicPartition("chat.events", 0)


class Polled(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    leader_epoch: int


class PartitionState:
    def __init__(self) -> None:
        self.position = OffsetAndMetadata(0, "", 4)


class LogReader:
    """A consumer over one partition, and in the same object its state; offsets that are missing are markers."""

    def __init__(self, *offsets: int, end: int) -> None:
        self._offsets = offsets
        self._end = end
        self._state = PartitionState()
        self.assignment = {PARTITION: self._state}
        self._subscription = self
        self.error: Exception | None = None

    def assign(self, partitions: list[TopicPartition]) -> None:
        pass

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._move(offset)

    def pause(self, *partitions: TopicPartition) -> None:
        pass

    def poll(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Polled]]:
        if self.error:
            raise self.error
        given = [offset for offset in self._offsets if offset >= self._state.position.offset][:max_records]
        self._move(given[-1] + 1 if len(given) == max_records else self._end)
        return (
            {PARTITION: [Polled(PARTITION.topic, 0, offset, 0, None, b"", [], 4) for offset in given]} if given else {}
        )

    def _move(self, offset: int) -> None:
        self._state.position = OffsetAndMetadata(offset, "", 4)


def a_range(reader: LogReader, start: int, end: int, **arguments: Any) -> tuple[FrozenRange, ManualClock]:
    clock = ManualClock()
    given: dict[str, Any] = {"monotonic_s": clock.monotonic_s, "sleep": clock.advance, **arguments}
    return FrozenRange(reader, {Partition(*PARTITION): (start, end)}, **given), clock


def offsets(source: FrozenRange) -> list[int]:
    return [record.offset for span in source.poll(500) for record in span.items]


def test_a_range_ends_where_it_was_frozen() -> None:
    source, _ = a_range(LogReader(*range(10), end=10), 2, 5)

    assert offsets(source) == [2, 3, 4]
    assert source.is_exhausted


def test_markers_at_the_end_are_passed_by_a_span_without_records() -> None:
    source, _ = a_range(LogReader(end=5), 0, 5)

    [span] = source.poll(500)

    assert (span.items, span.next_offset, source.is_exhausted) == ([], 5, True)


def test_records_that_are_not_selected_are_passed() -> None:
    source, _ = a_range(LogReader(*range(4), end=4), 0, 4, selects=lambda record: record.offset % 2 == 1)

    [span] = source.poll(500)

    assert ([record.offset for record in span.items], span.next_offset) == ([1, 3], 4)


def test_no_more_records_a_second_are_given_than_the_rate_allows() -> None:
    source, clock = a_range(LogReader(*range(40), end=40), 0, 40, rate=10)
    began_s = clock.monotonic_s()

    given = 0
    while not source.is_exhausted:
        given += len(offsets(source))
        assert given <= 10 * (clock.monotonic_s() - began_s) + 10 // 4 + 1

    assert given == 40
    assert clock.monotonic_s() - began_s == pytest.approx(3.8, abs=0.3)


def test_what_retention_has_deleted_meanwhile_is_said() -> None:
    reader = LogReader(end=9)
    source, _ = a_range(reader, 3, 9)
    reader.error = OffsetOutOfRangeError({PARTITION: 3})

    with pytest.raises(StoppedError, match=r"not in the log any more, at or after one of `chat\.events/0@3`"):
        source.poll(500)


def test_brokers_that_do_not_answer_end_it_after_a_minute() -> None:
    reader = LogReader(end=0)
    source, clock = a_range(reader, 0, 9)
    clock.advance(61)

    with pytest.raises(StoppedError, match="has not answered for 60 s"):
        source.poll(500)
