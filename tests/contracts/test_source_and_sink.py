"""What every source and sink do together, in memory and on a real Kafka."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from moderator.events import DecidedSpan, PolledSpan, Published
from moderator.observability.metrics import Metrics
from moderator.pipeline.ports import Sink, Source
from moderator.stream.kafka.source_and_sink import connect
from moderator.testing import InMemoryLog, InMemorySink, InMemorySource
from tests.kafka_stream import decided, every_tenth_is_dead, produce, read_committed, some_topics, usual_limits
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S

PARTITIONS = 2
PER_PARTITION = 15
EVERY = {(partition, offset) for partition in range(PARTITIONS) for offset in range(PER_PARTITION)}

Position = tuple[int, int]
"""Partition and offset."""


class Stream(NamedTuple):
    """A topic of two partitions, fifteen records each, and who reads it."""

    open: Callable[[], tuple[Source, Sink]]
    outcomes: Callable[[], list[Position]]


@pytest.fixture(params=["in memory", "exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)])
def stream(request: pytest.FixtureRequest) -> Stream:
    if request.param == "in memory":
        return in_memory()
    return on_kafka(request.getfixturevalue("kafka"), request.param)


def in_memory() -> Stream:
    log = InMemoryLog()
    for number in range(PARTITIONS * PER_PARTITION):
        log.append(b"%d" % number, partition=number % PARTITIONS)

    def open_() -> tuple[Source, Sink]:
        source = InMemorySource(log)
        return source, InMemorySink(log, source)

    return Stream(open_, lambda: [(record.partition, record.offset) for record, _ in log.outcomes])


def on_kafka(kafka: SharedKafka, delivery: str) -> Stream:
    settings = some_topics(kafka.bootstrap_servers, partitions=PARTITIONS, delivery=delivery)
    produce(settings, (b"%d" % number for number in range(PARTITIONS * PER_PARTITION)), partitions=PARTITIONS)

    def outcomes() -> list[Position]:
        headers = [dict(record.headers) for record in read_committed(settings)]
        return [
            (int(found["dlq.partition"]), int(found["dlq.offset"])) if "dlq.offset" in found else position(found)
            for found in headers
        ]

    return Stream(lambda: connect(settings, usual_limits(settings), Metrics(CollectorRegistry())), outcomes)


def position(headers: dict[str, bytes]) -> Position:
    _, partition, offset = headers["ce_id"].decode().split("_")
    return int(partition), int(offset)


@contextmanager
def opened(stream: Stream) -> Iterator[tuple[Source, Sink]]:
    source, sink = stream.open()
    with closing(source), closing(sink):
        yield source, sink


def poll_until(source: Source, count: int) -> list[PolledSpan]:
    batches: list[PolledSpan] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while sum(len(batch.items) for batch in batches) < count:
        assert time.monotonic() < deadline_s, f"only {sum(len(batch.items) for batch in batches)} records came"
        batches += source.poll(100)
    return batches


def publish_until_done(source: Source, sink: Sink, spans: list[DecidedSpan]) -> list[DecidedSpan]:
    committed: list[DecidedSpan] = []
    published = Published(committed=[], retry=spans)
    deadline_s = time.monotonic() + PATIENCE_S
    while published.retry:
        assert time.monotonic() < deadline_s, "nothing was published"
        published = sink.publish(published.retry)
        committed += published.committed
        source.poll(20)
    return committed


def positions(batches: list[PolledSpan]) -> list[Position]:
    return [(record.partition, record.offset) for batch in batches for record in batch.items]


def test_every_record_is_polled_once_in_the_order_of_its_partition(stream: Stream) -> None:
    with opened(stream) as (source, _):
        batches = poll_until(source, len(EVERY))

    by_partition = defaultdict(list)
    for partition, offset in positions(batches):
        by_partition[partition].append(offset)
    assert by_partition == {partition: list(range(PER_PARTITION)) for partition in range(PARTITIONS)}
    assert all(batch.next_offset == batch.items[-1].offset + 1 for batch in batches)


def test_a_paused_source_gives_nothing_and_loses_nothing(stream: Stream) -> None:
    with opened(stream) as (source, _):
        source.pause()

        while_paused = [batch for _ in range(15) for batch in source.poll(50)]
        source.resume()

        assert while_paused == []
        assert set(positions(poll_until(source, len(EVERY)))) == EVERY


def test_what_was_published_is_visible_and_does_not_come_again(stream: Stream) -> None:
    with opened(stream) as (source, sink):
        spans = decided(poll_until(source, len(EVERY)), every_tenth_is_dead)

        committed = publish_until_done(source, sink, spans)

    assert committed == spans
    assert sorted(stream.outcomes()) == sorted(EVERY)
    with opened(stream) as (source, _):
        assert [batch for _ in range(15) for batch in source.poll(50)] == []


def test_what_was_not_published_comes_again(stream: Stream) -> None:
    with opened(stream) as (source, sink):
        spans = decided(poll_until(source, len(EVERY)))
        first = [span for span in spans if span.partition.number == 0]
        publish_until_done(source, sink, first)

    with opened(stream) as (source, _):
        again = poll_until(source, PER_PARTITION)

    assert positions(again) == [(1, offset) for offset in range(PER_PARTITION)]


def test_spans_of_an_earlier_assignment_are_neither_committed_nor_retried(stream: Stream) -> None:
    with opened(stream) as (source, sink):
        spans = decided(poll_until(source, len(EVERY)))
        stale = [replace(span, assignment_epoch=span.assignment_epoch - 1) for span in spans]

        committed = publish_until_done(source, sink, stale)

    assert committed == []
    assert stream.outcomes() == []
