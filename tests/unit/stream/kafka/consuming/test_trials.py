"""Which events may have ended a process: what is found at a position, and how few are left with each step."""

from typing import Any

import pytest
from kafka.structs import OffsetAndMetadata

from moderator.events import Partition, PartitionSpan
from moderator.stream.kafka.consuming.position import Position, Trial, read_position
from moderator.stream.kafka.consuming.trials import Trials

PARTITION = Partition("chat.events", 0)


def a_span(events: int) -> PartitionSpan[Any]:
    return PartitionSpan(PARTITION, 1, 100, [None] * events)


def begun(position: Position | None = None, most_events: int = 10) -> Trials:
    trials = Trials(most_events)
    trials.begin(PARTITION, position or Position(5))
    return trials


def test_a_trial_ends_when_as_many_events_are_committed_as_may_have_been_in_flight() -> None:
    trials = begun(most_events=10)

    trials.committed([a_span(9)])
    assert trials.is_on
    trials.committed([a_span(1)])
    assert not trials.is_on


def test_a_trial_ends_when_the_partition_is_caught_up_or_not_ours_any_more() -> None:
    caught_up, revoked = begun(), begun()

    caught_up.caught_up(PARTITION)
    revoked.forget(PARTITION)

    assert not caught_up.is_on
    assert not revoked.is_on


def test_what_was_being_scored_when_a_process_ended_is_suspect_and_what_else_was_is_not_any_more() -> None:
    trials = begun(Position(5, trial=Trial(64), suspects=3_000))

    assert trials.suspects == {PARTITION: 64}
    assert trials.ends_alone(PARTITION) == 0


def test_suspects_outlast_the_trial_and_every_commit_says_how_many_are_left() -> None:
    trials = begun(Position(5, suspects=20), most_events=10)

    next_position = trials.unmarked(PARTITION, Position(17), committed_events=12)
    trials.committed([a_span(12)])

    assert next_position == Position(17, suspects=8)
    assert trials.suspects == {PARTITION: 8}
    trials.committed([a_span(8)])
    assert not trials.is_on
    assert trials.unmarked(PARTITION, Position(25)) == Position(25)


def test_only_an_event_that_is_scored_alone_can_be_blamed_for_an_end() -> None:
    together = begun().marked(a_span(1), Position(5), is_alone=False)
    alone = begun().marked(a_span(1), Position(5), is_alone=True)

    assert together is not None
    assert alone is not None
    assert [begun(each).ends_alone(PARTITION) for each in (together, alone)] == [0, 1]
    assert [begun(each).suspects for each in (together, alone)] == [{PARTITION: 1}] * 2


def test_each_end_while_it_is_scored_alone_is_remembered_and_the_next_event_starts_from_none() -> None:
    once = begun(Position(5, trial=Trial(1, 0)))
    mark = once.marked(a_span(1), Position(5), is_alone=True)

    assert mark == Position(5, trial=Trial(1, 1), suspects=1)
    assert begun(mark).ends_alone(PARTITION) == 2
    once.committed([a_span(1)])
    assert once.ends_alone(PARTITION) == 0


def test_an_end_while_nothing_is_scored_blames_nobody() -> None:
    found = Position(5, trial=Trial(1, 0))

    assert [begun(found).ends_alone(PARTITION) for _ in range(3)] == [1, 1, 1]


def test_partitions_that_are_not_on_trial_are_not_marked() -> None:
    assert Trials(10).marked(a_span(5), Position(5), is_alone=False) is None
    assert begun().marked(a_span(0), Position(5), is_alone=False) is None


@pytest.mark.parametrize(
    "position",
    [
        Position(5, 3, "id-1"),
        Position(5, 3, "id-1", Trial(3_000), 3_000),
        Position(5, None, "id-1", Trial(1, 1), 64),
        Position(5, None, None, Trial(1, 0)),
        Position(5, None, None, None, 7),
    ],
)
def test_what_is_written_beside_a_position_is_read_again(position: Position) -> None:
    written = position.written()

    assert read_position(written) == position
    assert len(written.metadata) < 500


@pytest.mark.parametrize(
    "metadata",
    [
        '{"trial": 5}',
        '{"trial": {}}',
        '{"trial": {"events": 0}}',
        '{"trial": {"events": -1}}',
        '{"trial": {"events": true}}',
        '{"trial": {"events": 1e9}}',
        '{"trial": {"events": 99999999999}}',
        '{"suspects": "5"}',
        '{"suspects": [5]}',
    ],
)
def test_metadata_that_is_not_ours_makes_nobody_suspect(metadata: str) -> None:
    assert read_position(OffsetAndMetadata(5, metadata, -1)) == Position(5)
