"""Flush, then commit: what follows when Kafka is away."""

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.producing.at_least_once import AtLeastOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import ScriptedConsumer, a_membership


@pytest.mark.parametrize(("pause_s", "attempts"), [(0.9, 1), (1.0, 2)])
def test_a_broker_that_takes_no_connection_is_not_asked_again_within_a_second(pause_s: float, attempts: int) -> None:
    partition, clock, consumer = TopicPartition("chat.events", 0), ManualClock(), ScriptedConsumer()
    consumer.assigned = {partition}
    membership = a_membership(lambda: consumer)
    membership.on_partitions_assigned([partition])
    span: DecidedSpan = PartitionSpan(Partition(*partition), 1, 7, [])
    made: list[None] = []

    def build(_timeout_factor: int) -> None:
        made.append(None)
        raise KafkaConnectionError("refused")

    sink = KafkaSink(
        membership,
        AtLeastOnce(membership, lambda _producer, _spans: []),
        build,
        reject_oversized=lambda _record, _decision: None,
        failure_budget=FailureBudget(
            membership, Metrics(CollectorRegistry()), lambda: None, monotonic_s=clock.monotonic_s
        ),
    )
    first = sink.publish([span]).retry
    clock.advance(pause_s)

    assert (first, sink.publish([span]).retry) == ([span], [span])
    assert len(made) == attempts
