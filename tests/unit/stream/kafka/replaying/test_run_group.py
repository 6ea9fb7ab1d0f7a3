"""The positions of a run: written in transactions alone, and never those of another process."""

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from moderator.errors import FencedError
from moderator.events import Partition, PartitionSpan
from moderator.stream.kafka.replaying.run_group import RunGroup
from moderator.stream.kafka.replaying.run_position import RunPosition
from tests.unit.stream.kafka.scripted_consumer import Coordinator

PARTITION = Partition("chat.events", 0)


class Positions:
    """A consumer whose coordinator knows positions."""

    def __init__(self) -> None:
        self.stored: dict[TopicPartition, OffsetAndMetadata] = {}
        self._coordinator = Coordinator(
            lambda partitions: {each: self.stored[each] for each in partitions if each in self.stored}
        )
        self._net = self._coordinator._manager


def a_span(next_offset: int) -> PartitionSpan[Any]:
    return PartitionSpan(PARTITION, 1, next_offset, [])


def a_begun_group() -> tuple[RunGroup, Positions]:
    positions = Positions()
    group = RunGroup(positions, "moderator-replay-monday")
    first = group.begin({PARTITION: RunPosition(5, 50, "abc", "id-1")})
    positions.stored |= group.next_offsets(first)
    group.note_committed(first)
    return group, positions


def test_without_a_position_even_a_first_one_of_0_is_not_written_yet() -> None:
    group = RunGroup(Positions(), "moderator-replay-monday")
    first = group.begin({PARTITION: RunPosition(0, 50, "abc", "id-1")})
    group.next_offsets(first)

    assert group.committed(PARTITION, 1) == -1


def test_what_was_fixed_at_the_beginning_stands_beside_each_position() -> None:
    group, positions = a_begun_group()

    positions.stored |= group.next_offsets([a_span(9)])

    assert group.stored([PARTITION], 1) == {PARTITION: RunPosition(9, 50, "abc", "id-1")}


def test_the_position_may_be_the_last_one_or_the_one_in_doubt() -> None:
    group, positions = a_begun_group()
    attempted = group.next_offsets([a_span(9)])

    assert group.committed(PARTITION, 1) == 5
    positions.stored |= attempted
    assert group.committed(PARTITION, 1) == 9


@pytest.mark.parametrize("offset", [0, 7, 20])
def test_any_other_position_is_another_process(offset: int) -> None:
    group, positions = a_begun_group()
    group.next_offsets([a_span(9)])
    positions.stored |= {TopicPartition(*PARTITION): RunPosition(offset, 50, "abc", "id-1").written()}

    with pytest.raises(FencedError, match="another process"):
        group.committed(PARTITION, 1)


@pytest.mark.parametrize("metadata", ["", "text", "[1]", '{"end": "5", "options": "a"}', '{"end": 5}', "[" * 4_000])
def test_metadata_of_others_is_no_position_of_a_run(metadata: str) -> None:
    assert RunPosition.read(OffsetAndMetadata(5, metadata, -1)) is None
