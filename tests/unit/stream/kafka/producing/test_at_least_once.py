"""Flush, then commit: what follows when Kafka is away."""

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.producing.at_least_once import AtLeastOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import ScriptedConsumer, a_membership


@pytest.mark.parametrize(("rest_s", "attempts"), [(0.9, 1), (1.0, 2)])
def test_a_broker_that_takes_no_connection_is_not_asked_again_within_a_second(rest_s: float, attempts: int) -> None:
    partition, clock, consumer = TopicPartition("chat.events", 0), ManualClock(), ScriptedConsumer()
    consumer.assigned = {partition}
    membership = a_membership(lambda: consumer)
    membership.on_partitions_assigned([partition])
    span: DecidedSpan = PartitionSpan(Partition(*partition), 1, 7, [])
    made: list[None] = []

    def build() -> None:
        made.append(None)
        raise KafkaConnectionError("refused")

    patience = FailureBudget(membership, Metrics(CollectorRegistry()), monotonic_s=clock.monotonic_s)
    commit = AtLeastOnce(membership, build, lambda _producer, _spans: [], patience=patience)
    left = commit.publish([span]).retry
    clock.advance(rest_s)

    assert (left, commit.publish([span]).retry) == ([span], [span])
    assert len(made) == attempts
