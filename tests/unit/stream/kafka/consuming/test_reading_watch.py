"""A partition without a leader, and one whose position is hidden, while Kafka answers."""

import pytest
from kafka import TopicPartition

from moderator.stream.kafka.consuming.reading_watch import UNREAD_S, ReadingWatch
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import ScriptedConsumer, a_membership

FIRST, SECOND = TopicPartition("chat.events", 0), TopicPartition("chat.events", 1)
NO_LEADER = "topic `chat.events` partition 0 cannot be read for 30 s: it has no leader"


class Stage:
    """Two partitions of ours that are read."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.consumer = ScriptedConsumer()
        self.consumer.is_at(FIRST, 7)
        self.consumer.is_at(SECOND, 7)
        self.membership = a_membership(lambda: self.consumer)
        self._watch = ReadingWatch(self.membership, self.clock.monotonic_s)

    def trouble_after(self, seconds: float) -> str | None:
        self._watch.check()
        self.clock.advance(seconds)
        self._watch.check()
        return self.membership.troubles.get("not_reading")


def test_what_can_be_read_is_no_trouble() -> None:
    assert Stage().trouble_after(UNREAD_S) is None


def test_a_partition_without_a_leader_is_reported_after_30_s_until_it_has_one() -> None:
    stage = Stage()
    stage.consumer.cluster.without_leader = {FIRST}

    early, late = stage.trouble_after(29), stage.trouble_after(1)
    stage.consumer.cluster.without_leader = set()

    assert (early, late) == (None, NO_LEADER)
    assert stage.trouble_after(0) is None


def test_a_partition_that_gets_a_leader_in_between_starts_its_time_again() -> None:
    stage = Stage()
    stage.consumer.cluster.without_leader = {FIRST}
    stage.trouble_after(20)
    stage.consumer.cluster.without_leader = {SECOND}
    stage.trouble_after(0)
    stage.consumer.cluster.without_leader = {FIRST}

    assert stage.trouble_after(20) is None


def test_a_partition_whose_position_is_hidden_is_reported_with_what_the_coordinator_says() -> None:
    stage = Stage()
    stage.membership.on_partitions_assigned([FIRST, SECOND])
    stage.membership.position_error = "`[Error 88] UnstableOffsetCommitError`"

    assert stage.trouble_after(31) == (
        "topic `chat.events` partition 0 and 1 other partition cannot be read for 31 s: "
        "the group's position is not known: `[Error 88] UnstableOffsetCommitError`"
    )


@pytest.mark.parametrize("is_responding", [True, False])
def test_while_no_broker_answers_no_partition_is_blamed(*, is_responding: bool) -> None:
    stage = Stage()
    stage.consumer.cluster.without_leader = {FIRST}
    stage.consumer.is_responding = is_responding

    assert stage.trouble_after(UNREAD_S) == (NO_LEADER if is_responding else None)


def test_a_partition_that_was_taken_away_is_no_trouble_of_ours() -> None:
    stage = Stage()
    stage.consumer.cluster.without_leader = {FIRST}
    before = stage.trouble_after(UNREAD_S)
    stage.consumer.assigned = {SECOND}

    assert (before, stage.trouble_after(0)) == (NO_LEADER, None)
