"""A position as Kafka stores it, and what comparing it with the log finds."""

from typing import Any

import pytest
from kafka.structs import OffsetAndMetadata

from moderator.stream.kafka.consuming.position import (
    Finding,
    PartitionLog,
    Position,
    compare,
    place_after,
    read_position,
)

TOPIC = "6f1c2a9b-0000-0000-0000-000000000000"
AT_100 = Position(100, 3, TOPIC)


def a_log(**fields: Any) -> PartitionLog:
    given: dict[str, Any] = {
        "topic_id": TOPIC,
        "beginning": 0,
        "end": 300,
        "log_end": 300,
        "leader_epoch": 5,
        "epoch_end": 300,
    }
    return PartitionLog(**(given | fields))


@pytest.mark.parametrize("position", [AT_100, Position(100, None, TOPIC), Position(0, 0, None)])
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert read_position(position.written()) == position


def test_metadata_is_short_json() -> None:
    metadata = AT_100.written().metadata

    assert metadata == f'{{"v":1,"topic":"{TOPIC}"}}'
    assert len(metadata) <= 500


@pytest.mark.parametrize(
    "metadata", ["", None, "NO_METADATA", '{"v":1}', "[1]", '{"topic": 7}', "\udcff", "{" * 10_000]
)
def test_metadata_that_is_not_ours_says_nothing(metadata: str | None) -> None:
    assert read_position(OffsetAndMetadata(100, metadata, -1)) == Position(100)


@pytest.mark.parametrize(
    "log",
    [
        a_log(),
        a_log(beginning=100),
        a_log(end=100, log_end=100, epoch_end=100),
        a_log(end=90, log_end=110, epoch_end=110),  # an open transaction hides what is at the position
    ],
)
def test_a_position_within_the_log_is_well(log: PartitionLog) -> None:
    assert compare(AT_100, log) == []
    assert place_after(AT_100, []) == 100


def test_below_the_beginning_events_are_lost() -> None:
    assert compare(AT_100, a_log(beginning=250)) == [Finding("events_lost", 250, 150)]


def test_an_epoch_that_ends_below_the_position_tells_where_the_log_parts() -> None:
    assert compare(AT_100, a_log(epoch_end=80)) == [Finding("log_truncated", 80, 20, 3)]


@pytest.mark.parametrize("epoch", [None, 3])
def test_beyond_the_end_without_an_epoch_that_the_broker_knows_the_log_has_lost_its_tail(epoch: int | None) -> None:
    log = a_log(end=85, log_end=90, epoch_end=None)

    assert compare(Position(100, epoch, TOPIC), log) == [Finding("log_truncated", 85, 15, None)]


def test_an_epoch_that_the_broker_has_forgotten_is_noted_where_the_position_is_within_the_log() -> None:
    assert compare(AT_100, a_log(epoch_end=None)) == [Finding("epoch_forgotten", 100, 0)]
    assert compare(AT_100, a_log(epoch_end=None, beginning=250)) == [Finding("events_lost", 250, 150)]


def test_of_another_topic_with_the_same_name_all_events_are_new() -> None:
    found = compare(AT_100, a_log(topic_id="another", beginning=5, end=20, log_end=20, epoch_end=20))

    assert found == [Finding("topic_recreated", 5, 15)]
    assert place_after(AT_100, found) == 5


def test_of_several_places_the_largest_counts() -> None:
    found = compare(AT_100, a_log(beginning=120, epoch_end=80))

    assert [each.kind for each in found] == ["events_lost", "log_truncated"]
    assert place_after(AT_100, found) == 120
