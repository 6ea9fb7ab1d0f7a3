"""Where readable records go on after what the client cannot decode."""

from collections.abc import Collection
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import CorruptRecordError

from moderator.events import Partition
from moderator.stream.kafka.consuming.undecodable import Undecodable, find_undecodable

PARTITION = TopicPartition("chat.events", 0)
END = 10


class Reader:
    """A consumer of one partition, some of whose offsets cannot be decoded."""

    def __init__(self, bad_offsets: Collection[int]) -> None:
        self._bad_offsets = bad_offsets
        self._offset = 0
        self.is_closed = False

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [PARTITION]

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: float) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, END)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._offset = offset

    def position(self, partition: TopicPartition) -> int:
        return self._offset

    def poll(self, timeout_ms: float, max_records: int) -> dict[TopicPartition, list[Any]]:
        if self._offset in self._bad_offsets:
            raise CorruptRecordError
        return {PARTITION: ["a record"]}

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("bad_offsets", "resume_at"),
    [([3], 4), ([3, 4], 5), ([3, 5], 4), (range(3, END), END)],
)
def test_it_resumes_at_the_first_offset_that_can_be_read(bad_offsets: Collection[int], resume_at: int) -> None:
    reader = Reader(bad_offsets)

    found = find_undecodable(lambda: reader, {PARTITION: 3})

    assert found == Undecodable(Partition(*PARTITION), 3, resume_at)
    assert reader.is_closed


@pytest.mark.parametrize("position", [4, END])
def test_what_can_be_read_from_our_position_on_is_nothing_to_skip(position: int) -> None:
    assert find_undecodable(lambda: Reader([3]), {PARTITION: position}) is None
