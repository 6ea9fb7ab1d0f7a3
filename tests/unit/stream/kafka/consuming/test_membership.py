"""What we own, since when, and whether the group is stable; what the client forgets between two polls."""

import pytest
from kafka import TopicPartition
from kafka.errors import IllegalStateError, KafkaTimeoutError
from kafka.structs import ConsumerGroupMetadata, MemberState
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.consuming.position import Position
from tests.builders import a_record
from tests.unit.stream.kafka.scripted_consumer import SETTLED, Polled, ScriptedConsumer, a_membership, a_source

OURS, OTHER = TopicPartition("chat.events", 0), TopicPartition("chat.events", 1)


def a_span(partition: TopicPartition, *, epoch: int) -> DecidedSpan:
    return PartitionSpan(Partition(*partition), epoch, 1, [])


def test_a_span_is_ours_while_its_partition_was_never_given_up_since_it_was_polled() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.assigned = {OURS}
    membership.on_partitions_assigned([OURS, OTHER])
    membership.on_partitions_revoked([OURS, OTHER])
    membership.on_partitions_assigned([OURS])
    before, since, of_another = a_span(OURS, epoch=1), a_span(OURS, epoch=2), a_span(OTHER, epoch=1)

    owned = membership.owned([before, since, of_another])

    assert owned == [since]


@pytest.mark.parametrize(
    "group",
    [
        SETTLED._replace(state=MemberState.REBALANCING),
        SETTLED._replace(generation_id=-1),
        SETTLED._replace(member_id=""),
    ],
)
def test_a_group_that_does_not_know_us_by_name_and_generation_is_not_settled(group: ConsumerGroupMetadata) -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    before = membership.settled()

    consumer.group = group

    assert before == SETTLED
    assert membership.settled() is None


def test_a_partition_that_is_assigned_without_a_pause_is_paused_again_before_the_next_poll() -> None:
    paused: list[set[TopicPartition]] = []

    def poll() -> Polled:
        paused.append(consumer.paused())
        return {}

    consumer = ScriptedConsumer(poll)
    source = a_source(a_membership(lambda: consumer))
    consumer.assigned = {OURS}
    source.pause()
    source.poll(20)

    consumer.assigned = {OURS, OTHER}
    source.poll(20)
    source.resume()
    source.poll(20)

    assert paused == [{OURS}, {OURS, OTHER}, set()]


def test_a_join_that_a_poll_has_started_is_continued_by_the_next() -> None:
    consumer = ScriptedConsumer()
    source = a_source(a_membership(lambda: consumer))
    source.poll(20)
    settled = consumer.rejoins

    consumer.group = SETTLED._replace(state=MemberState.REBALANCING)
    source.poll(20)

    assert settled == 0
    assert consumer.rejoins == 1


def test_a_partition_that_is_assigned_while_paused_is_paused_at_once() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.assigned = {OURS}
    membership.is_paused = True

    membership.on_partitions_assigned([OURS])

    assert consumer.paused() == {OURS}


def test_partitions_that_are_lost_are_reported_as_lost_and_not_as_revoked() -> None:
    membership = a_membership(ScriptedConsumer)

    with capture_logs() as logs:
        membership.on_partitions_lost([OTHER, OURS])

    assert [(entry["event"], entry["partitions"]) for entry in logs] == [("partitions_lost", [0, 1])]


def test_the_lag_is_what_was_not_fetched_and_what_is_in_flight() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.is_at(OURS, 7)
    consumer.assigned |= {OTHER}
    consumer.fetched_ends = {OURS: 9, OTHER: 4}
    membership.in_flight.begin(Partition(*OURS), 4)
    membership.in_flight.polled(PartitionSpan(Partition(*OURS), 1, 7, [a_record(offset=4)]))

    membership.refresh()

    assert membership.lags == {Partition(*OURS): 2 + 3}


def test_of_a_paused_partition_the_broker_is_asked_for_the_end() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.is_at(OURS, 7)
    consumer.pause(OURS)
    consumer.fetched_ends, consumer.ends = {OURS: 9}, {OURS: 20}

    membership.refresh()

    assert membership.lags == {Partition(*OURS): 13}


def test_a_broker_that_responds_has_answered_now_however_long_the_last_poll_is_over() -> None:
    membership = a_membership(ScriptedConsumer)
    membership.refresh()
    before_s = membership.last_answer_s

    assert membership.last_answer_s > before_s


def test_while_the_broker_does_not_respond_its_last_answer_stays_in_the_past_and_it_is_not_asked() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.is_responding = False
    consumer.is_at(OURS, 7)
    consumer.pause(OURS)
    consumer.fetched_ends, consumer.ends = {OURS: 9}, {OURS: 20}
    before_s = membership.last_answer_s

    membership.refresh()

    assert membership.last_answer_s == before_s
    assert membership.lags == {Partition(*OURS): 2}


def test_a_partition_that_is_revoked_between_two_calls_has_no_lag() -> None:
    class Revoking(ScriptedConsumer):
        def highwater(self, partition: TopicPartition) -> int | None:
            raise IllegalStateError

        def resume(self, *partitions: TopicPartition) -> None:
            raise KeyError

    consumer = Revoking()
    membership = a_membership(lambda: consumer)
    consumer.assigned = {OURS}
    consumer.pause(OURS)

    membership.keep_paused()
    membership.refresh()

    assert membership.positions() == membership.lags == {}


def test_a_group_that_cannot_be_left_in_order_is_left_all_the_same() -> None:
    class Unreachable(ScriptedConsumer):
        def close(self, **options: object) -> None:
            super().close(**options)
            raise KafkaTimeoutError

    consumer = Unreachable()

    a_membership(lambda: consumer).close()

    assert consumer.is_closed


def test_an_assigned_partition_is_read_only_from_where_it_is_placed() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.assigned = {OURS, OTHER}
    membership.on_partitions_assigned([OURS, OTHER])
    membership.keep_paused()
    before = consumer.paused(), set(membership.positions())

    membership.placed(OURS, 1, Position(7, None, "id-1"))
    membership.keep_paused()

    assert before == ({OURS, OTHER}, set())
    assert consumer.paused() == {OTHER}
    assert {tp: position.offset for tp, position in membership.positions().items()} == {OURS: 7}


def test_a_place_found_for_an_earlier_assignment_counts_no_more() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.assigned = {OURS}
    membership.on_partitions_assigned([OURS])
    membership.on_partitions_assigned([OURS])

    membership.placed(OURS, 1, Position(7, None, "id-1"))

    assert membership.unplaced == {OURS: 2}


def test_a_partition_that_is_revoked_while_it_starts_over_is_left_alone() -> None:
    class Revoking(ScriptedConsumer):
        def seek(self, partition: TopicPartition, offset: int) -> None:
            raise ValueError("Unassigned partition")

    consumer = Revoking()
    membership = a_membership(lambda: consumer)

    membership.start_over([OURS])

    assert membership.unplaced == {}


def test_a_position_that_the_client_has_left_without_an_epoch_gets_the_leaders() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.is_at(OURS, 7, leader_epoch=-1)
    consumer.is_at(OTHER, 8, leader_epoch=2)

    positions = membership.positions()

    assert {tp: (at.offset, at.leader_epoch) for tp, at in positions.items()} == {OURS: (7, 4), OTHER: (8, 2)}


def test_changes_of_what_we_own_are_counted_and_so_are_partitions_taken_unasked() -> None:
    metrics = Metrics(CollectorRegistry())
    membership = Membership(ScriptedConsumer, "chat.events", metrics)

    membership.on_partitions_assigned([OURS, OTHER])
    membership.on_partitions_revoked([OTHER])
    membership.on_partitions_assigned([])
    membership.on_partitions_lost([OURS])

    assert metrics.registry.get_sample_value("moderator_rebalances_total") == 3
    assert metrics.registry.get_sample_value("moderator_partitions_lost_total") == 1
