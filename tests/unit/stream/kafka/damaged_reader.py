"""A consumer outside of any group, on a partition of which some offsets cannot be decoded."""

from collections.abc import Collection
from typing import Any

from kafka import TopicPartition
from kafka.errors import CorruptRecordError

PARTITION = TopicPartition("chat.events", 0)
END = 10


class DamagedReader:
    """A consumer of `PARTITION`, whose log ends at `END`."""

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
