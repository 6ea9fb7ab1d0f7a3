"""Where the next readable record is after one that the client cannot decode."""

from collections.abc import Collection

import pytest

from moderator.events import Partition
from moderator.stream.kafka.consuming.undecodable import Undecodable, find_undecodable
from tests.unit.stream.kafka.damaged_reader import END, PARTITION, DamagedReader


@pytest.mark.parametrize(
    ("bad_offsets", "resume_at"),
    [([3], 4), ([3, 4], 5), ([3, 5], 4), (range(3, END), END)],
)
def test_it_resumes_at_the_first_offset_that_can_be_read(bad_offsets: Collection[int], resume_at: int) -> None:
    reader = DamagedReader(bad_offsets)

    found = find_undecodable(lambda: reader, {PARTITION: 3})

    assert found == Undecodable(Partition(*PARTITION), 3, resume_at)
    assert reader.is_closed


@pytest.mark.parametrize("position", [4, END])
def test_what_can_be_read_from_our_position_on_is_nothing_to_skip(position: int) -> None:
    assert find_undecodable(lambda: DamagedReader([3]), {PARTITION: position}) is None
