"""Topics that change while nobody or somebody reads them: more partitions, gaps, records gone, a lower limit."""

import os
from collections.abc import Mapping
from contextlib import closing

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResourceType
from kafka.errors import MessageSizeTooLargeError
from prometheus_client import CollectorRegistry

from moderator.errors import StoppedError
from moderator.events import EncodedDecision, Record
from moderator.observability.health import Code
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.source_and_sink import connect
from moderator.stream.kafka.topics import create_topics
from tests.faults.loop import Loop, a_loop, a_loop_that_looks_often
from tests.faults.oracle import assert_each_event_came_out_once, place_of
from tests.kafka_stream import (
    a_decision,
    add_partitions,
    admin_of,
    asking_for_offsets,
    committed_offsets,
    configure,
    delete_topic,
    produce,
    read_committed,
    some_topics,
    usual_limits,
)
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S, await_condition

EACH = 100
SEGMENT_MS = 100
BROKER_ID = "1"


@pytest.fixture(params=["exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)])
def settings(kafka: SharedKafka, request: pytest.FixtureRequest) -> KafkaSettings:
    return some_topics(kafka.bootstrap_servers, partitions=1, delivery=request.param)


def fill(settings: KafkaSettings, partitions: int = 1) -> None:
    produce(settings, (b"%d" % number for number in range(EACH * partitions)), partitions=partitions)


def offsets_out(settings: KafkaSettings) -> list[int]:
    return sorted(place_of(record, settings)[1] for record in read_committed(settings))


def test_a_partition_that_is_added_while_it_runs_is_read_from_its_first_event(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop_that_looks_often(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)

        add_partitions(settings, 3)
        fill(settings, partitions=3)

        loop.run_until(lambda: loop.committed == 4 * EACH)
    assert_each_event_came_out_once(settings, [2 * EACH, EACH, EACH])


def test_gaps_of_a_compacted_topic_are_passed(settings: KafkaSettings) -> None:
    configure(settings, ConfigResourceType.BROKER, [BROKER_ID], log_cleaner_backoff_ms=100)
    compacted = {"cleanup.policy": "compact", "segment.ms": SEGMENT_MS, "min.cleanable.dirty.ratio": 0}
    configure(settings, ConfigResourceType.TOPIC, [settings.events_topic], **compacted)
    write(settings, *(b"key-%d" % number if number % 5 == 0 else b"overwritten" for number in range(EACH)))
    await_condition(lambda: is_compacted(settings))
    before = offsets_in(settings)

    with closing(a_loop(settings)) as loop, asking_for_offsets(settings, 1) as offsets:
        loop.run_until(lambda: offsets() == [before[-1] + 1])

    found, after = offsets_out(settings), offsets_in(settings)
    assert found[: EACH // 5] == list(range(0, EACH, 5))
    assert len(set(found)) == len(found)
    assert set(after) <= set(found) <= set(before)  # meanwhile more may have been compacted


def write(settings: KafkaSettings, *keys: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=settings.bootstrap_servers)) as producer:
        for key in keys:
            producer.send(settings.events_topic, b"{}", key=key, partition=0)


def is_compacted(settings: KafkaSettings) -> bool:
    """Write one more, which closes the segment before it, and tell whether what was overwritten is gone."""
    write(settings, b"overwritten")
    return EACH - 1 not in offsets_in(settings)


def offsets_in(settings: KafkaSettings) -> list[int]:
    return [record.offset for record in read_committed(settings, settings.events_topic)]


@pytest.mark.long
def test_records_that_are_gone_while_nobody_reads_are_passed(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)
    lose(settings)

    with closing(a_loop(settings)) as loop, asking_for_offsets(settings, 1) as offsets:
        loop.run_until(lambda: offsets() == [2 * EACH])

    assert offsets_out(settings) == [*range(EACH), *range(EACH + EACH // 2, 2 * EACH)]


@pytest.mark.long
def test_records_that_are_gone_before_a_running_reader_asks_for_them_are_passed(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)
        lose(settings)

        loop.run_until(lambda: committed_offsets(settings, 1) == [2 * EACH])

    found = offsets_out(settings)  # perhaps with some of the lost, which were on their way already
    assert len(set(found)) == len(found)
    assert set(found) >= {*range(EACH), *range(EACH + EACH // 2, 2 * EACH)}


def lose(settings: KafkaSettings) -> None:
    """Write as much again, and let half of it be gone, as retention does with what nobody reads in time."""
    fill(settings)
    with admin_of(settings) as admin:
        admin.delete_records({TopicPartition(settings.events_topic, 0): EACH + EACH // 2})


def test_a_topic_that_takes_less_than_at_the_start_ends_the_process(settings: KafkaSettings) -> None:
    def large(record: Record) -> EncodedDecision:
        return a_decision(record)._replace(value=os.urandom(10_000))

    with closing(Loop(*connect(settings, usual_limits(settings), Metrics(CollectorRegistry())), large)) as loop:
        for topic in (settings.flag_topic, settings.allow_topic):
            configure(settings, ConfigResourceType.TOPIC, [topic], max_message_bytes=5_000)
            await_condition(lambda topic=topic: takes_no_more(settings, topic, os.urandom(10_000)))  # type: ignore[misc]
        produce(settings, [b"1"], partitions=1)

        with pytest.raises(StoppedError, match=r"never take .*MessageSizeTooLarge"):
            loop.run_until(lambda: loop.committed > 0)

    assert committed_offsets(settings, 1) == [0]


def takes_no_more(settings: KafkaSettings, topic: str, value: bytes) -> bool:
    """Tell whether a new limit is in force: a broker takes it up a moment after it has agreed to it."""
    with closing(KafkaProducer(bootstrap_servers=settings.bootstrap_servers)) as producer:
        try:
            producer.send(topic, value).get(PATIENCE_S)
        except MessageSizeTooLargeError:
            return True
        return False


def test_an_output_topic_that_is_deleted_makes_it_not_ready_until_it_is_back(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    with closing(a_loop(settings)) as loop:
        delete_topic(settings, settings.flag_topic)
        fill(settings)
        loop.run_until(lambda: "topic_gone" in troubles(loop))
        gone = troubles(loop)["topic_gone"]
        create_topics(settings, partitions=1, replication=1)

        loop.run_until(lambda: loop.committed == EACH)

    assert f"no partitions of topic `{settings.flag_topic}`" in gone
    assert troubles(loop) == {}


def troubles(loop: Loop) -> Mapping[Code, str]:
    assert isinstance(loop.source, KafkaSource)
    return loop.source.troubles
