"""What is ours, since when, and whether the group is settled; what the client forgets between two polls."""

import pytest
from kafka import TopicPartition
from kafka.structs import ConsumerGroupMetadata, MemberState

from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.stream.kafka.consuming.source import KafkaSource
from tests.unit.stream.kafka.scripted_consumer import SETTLED, Polled, ScriptedConsumer, a_membership

OURS, OTHER = TopicPartition("chat.events", 0), TopicPartition("chat.events", 1)


def a_span(partition: TopicPartition, *, epoch: int) -> DecidedSpan:
    return PartitionSpan(Partition(*partition), epoch, 1, [])


def test_a_span_is_ours_while_its_partition_was_never_let_go_since_it_was_polled() -> None:
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


def test_a_partition_that_comes_unpaused_is_paused_again_before_the_next_poll() -> None:
    paused: list[set[TopicPartition]] = []

    def look() -> Polled:
        paused.append(consumer.paused())
        return {}

    consumer = ScriptedConsumer(look)
    source = KafkaSource(a_membership(lambda: consumer), ScriptedConsumer)
    consumer.assigned = {OURS}
    source.pause()
    source.poll(20)

    consumer.assigned = {OURS, OTHER}
    source.poll(20)
    source.resume()
    source.poll(20)

    assert paused == [{OURS}, {OURS, OTHER}, set()]


def test_a_join_that_a_poll_has_begun_is_gone_on_with_by_the_next() -> None:
    consumer = ScriptedConsumer()
    source = KafkaSource(a_membership(lambda: consumer), ScriptedConsumer)
    source.poll(20)
    settled = consumer.rejoins

    consumer.group = SETTLED._replace(state=MemberState.REBALANCING)
    source.poll(20)

    assert settled == 0
    assert consumer.rejoins == 1
