"""The lag counts every event that is not yet committed, polled or not, and is 0 when all are."""

import time
from contextlib import closing
from typing import Literal

import pytest
from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from moderator.events import Partition, PolledSpan
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import Sink
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.source_and_sink import connect
from tests.kafka_stream import decided, produce, some_topics, usual_limits
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S

PARTITIONS = 2
EACH = 10


@pytest.mark.parametrize("delivery", ["exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)])
def test_a_stuck_publication_shows_as_lag_and_a_drained_partition_as_none(
    kafka: SharedKafka, delivery: Literal["exactly_once", "at_least_once"]
) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS, delivery=delivery)
    produce_each(settings)
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        first = poll_all(source)
        source.pause()
        await_lags(source, EACH)

        produce_each(settings)
        await_lags(source, 2 * EACH)

        publish(source, sink, first)
        await_lags(source, EACH)
        source.resume()
        publish(source, sink, poll_all(source))
        await_lags(source, 0)


def test_the_markers_of_producers_transactions_are_no_lag(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=settings.group_id)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(settings.events_topic, b"1", partition=0)
    producer.commit_transaction()
    producer.close()
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        publish(source, sink, poll_all(source, 1))
        await_lags(source, 0, partitions=1)


def produce_each(settings: KafkaSettings) -> None:
    produce(settings, (b"%d" % number for number in range(PARTITIONS * EACH)), partitions=PARTITIONS)


def poll_all(source: KafkaSource, count: int = PARTITIONS * EACH) -> list[PolledSpan]:
    batches: list[PolledSpan] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while sum(len(batch.items) for batch in batches) < count:
        assert time.monotonic() < deadline_s, "not everything came"
        batches += source.poll(100)
    return batches


def publish(source: KafkaSource, sink: Sink, batches: list[PolledSpan]) -> None:
    left = decided(batches)
    deadline_s = time.monotonic() + PATIENCE_S
    while left:
        assert time.monotonic() < deadline_s, "nothing was published"
        left = sink.publish(left).retry
        source.poll(20)


def await_lags(source: KafkaSource, lag: int, partitions: int = PARTITIONS) -> None:
    wanted = {
        Partition(partition.topic, number): lag for partition in source.assignment for number in range(partitions)
    }
    deadline_s = time.monotonic() + PATIENCE_S
    while source.lags != wanted:
        assert time.monotonic() < deadline_s, f"the lags stay at {source.lags}"
        source.poll(50)
