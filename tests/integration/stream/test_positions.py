"""Positions that the log does not agree with any more, on a real broker: reported, counted, and never decided twice."""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from structlog.testing import capture_logs

from moderator.errors import LostEventsError
from moderator.events import Partition
from moderator.observability.health import Code
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.position import Position, read_position
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.topics import create_topics
from tests.faults.loop import Loop, a_loop
from tests.faults.oracle import place_of
from tests.kafka_stream import (
    admin_of,
    asking_for_offsets,
    committed_offsets,
    delete_topic,
    produce,
    read_committed,
    some_topics,
)
from tests.servers.shared import SharedKafka


@pytest.fixture(params=["exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)])
def settings(kafka: SharedKafka, request: pytest.FixtureRequest) -> KafkaSettings:
    return some_topics(kafka.bootstrap_servers, partitions=1, delivery=request.param)


def partition_of(settings: KafkaSettings) -> TopicPartition:
    return TopicPartition(settings.events_topic, 0)


def fill(settings: KafkaSettings, events: int) -> None:
    produce(settings, (b"{}" for _ in range(events)), partitions=1)


def delete_before(settings: KafkaSettings, offset: int) -> None:
    with admin_of(settings) as admin:
        admin.delete_records({partition_of(settings): offset})


def a_producer(settings: KafkaSettings) -> KafkaProducer:
    """Make a producer of events that uses transactions."""
    transactional_id = f"events-of-{settings.group_id}"
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=transactional_id)
    producer.init_transactions()
    return producer


def set_position(settings: KafkaSettings, offset: int) -> None:
    """Do what `kafka-consumer-groups.sh --reset-offsets` does."""
    with admin_of(settings) as admin:
        admin.alter_group_offsets(settings.group_id, {partition_of(settings): OffsetAndMetadata(offset, "", -1)})


def stored(settings: KafkaSettings) -> OffsetAndMetadata:
    with closing(KafkaConsumer(bootstrap_servers=settings.bootstrap_servers, group_id=settings.group_id)) as reader:
        return reader.committed(partition_of(settings), metadata=True)


def lags(loop: Loop) -> dict[Partition, int]:
    assert isinstance(loop.source, KafkaSource)
    return loop.source.lags


def troubles(loop: Loop) -> Mapping[Code, str]:
    assert isinstance(loop.source, KafkaSource)
    return loop.source.troubles


def decide_all(settings: KafkaSettings, until: int) -> Loop:
    with closing(a_loop(settings)) as loop, asking_for_offsets(settings, 1) as offsets:
        loop.run_until(lambda: offsets() == [until])
    return loop


def offsets_out(settings: KafkaSettings) -> list[int]:
    return sorted(place_of(record, settings)[1] for record in read_committed(settings))


def events_of(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def lines_of(logs: list[Any], event: str) -> list[dict[str, Any]]:
    return [
        {key: line[key] for key in line if key not in {"event", "log_level"}} for line in logs if line["event"] == event
    ]


def test_a_position_is_stored_with_its_epoch_and_topic(settings: KafkaSettings) -> None:
    fill(settings, 10)

    decide_all(settings, 10)

    with admin_of(settings) as admin:
        topic_id = str(admin.describe_topics([settings.events_topic])[0]["topic_id"])
    assert read_position(stored(settings)) == Position(10, 0, topic_id)


def test_a_position_that_another_tool_has_set_is_obeyed(settings: KafkaSettings) -> None:
    fill(settings, 10)
    set_position(settings, 7)

    with capture_logs() as logs:
        decide_all(settings, 10)

    assert offsets_out(settings) == [7, 8, 9]
    assert {line["log_level"] for line in logs} == {"info"}


def test_what_retention_takes_while_nobody_reads_is_reported_and_counted(settings: KafkaSettings) -> None:
    fill(settings, 100)
    decide_all(settings, 100)
    fill(settings, 200)
    delete_before(settings, 250)

    with capture_logs() as logs:
        loop = decide_all(settings, 300)

    assert offsets_out(settings) == [*range(100), *range(250, 300)]
    assert lines_of(logs, "events_lost") == [{"partition": 0, "position": 100, "beginning": 250, "events": 150}]
    assert loop.metrics.events_lost.labels("0")._value.get() == 150


def test_what_retention_takes_stops_the_process_where_it_shall(settings: KafkaSettings) -> None:
    fill(settings, 100)
    decide_all(settings, 100)
    fill(settings, 200)
    delete_before(settings, 250)
    stopping = settings.model_copy(update={"on_lost_events": "stop"})

    with closing(a_loop(stopping)) as loop, pytest.raises(LostEventsError) as raised:
        loop.run_until(lambda: False)

    text = str(raised.value)
    assert (
        f"topic `{settings.events_topic}` partition 0: the group's position is 100, but the log begins at 250" in text
    )
    assert "150 events are lost" in text
    assert "ON_LOST_EVENTS=continue" in text
    assert "--reset-offsets --to-offset 250" in text
    assert committed_offsets(settings, 1) == [100]


def test_what_retention_takes_from_a_slow_reader_is_reported_and_what_is_in_flight_is_published(
    settings: KafkaSettings,
) -> None:
    fill(settings, 100)
    with capture_logs() as logs, closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == 100)
        loop.source.pause()
        assert loop.source.poll(500) == []  # no request is on its way any more, which what is written would answer
        fill(settings, 200)
        delete_before(settings, 250)
        loop.source.resume()
        loop.run_until(lambda: bool(lines_of(logs, "events_lost")))
        loop.run_until(lambda: committed_offsets(settings, 1) == [300])

    assert lines_of(logs, "events_lost") == [{"partition": 0, "position": 100, "beginning": 250, "events": 150}]
    assert offsets_out(settings) == [*range(100), *range(250, 300)]


def test_a_count_of_offsets_that_may_hold_markers_is_an_upper_bound(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    with closing(a_producer(settings)) as producer:
        producer.begin_transaction()
        producer.send(settings.events_topic, b"{}", partition=0).get(10)
        producer.commit_transaction()
    decide_all(settings, 2)
    fill(settings, 5)
    delete_before(settings, 4)

    with capture_logs() as logs:
        decide_all(settings, 7)

    lost = {"partition": 0, "position": 2, "beginning": 4, "events": 2, "at_most": True}
    assert lines_of(logs, "events_lost") == [lost]


def test_the_position_follows_markers_and_aborted_records(settings: KafkaSettings) -> None:
    with closing(a_producer(settings)) as producer:
        for number in range(4):
            producer.begin_transaction()
            producer.send(settings.events_topic, b"{}", partition=0).get(10)
            (producer.abort_transaction if number % 2 else producer.commit_transaction)()
        fill(settings, 1)
        producer.begin_transaction()
        producer.send(settings.events_topic, b"{}", partition=0).get(10)
        producer.abort_transaction()

    with closing(a_loop(settings)) as loop, asking_for_offsets(settings, 1) as offsets:
        loop.run_until(lambda: offsets() == [11] and {*lags(loop).values()} == {0})

    assert offsets_out(settings) == [0, 4, 8]


def test_a_transaction_that_is_left_open_stays_lag(settings: KafkaSettings) -> None:
    fill(settings, 5)
    with closing(a_producer(settings)) as producer:
        producer.begin_transaction()
        producer.send(settings.events_topic, b"{}", partition=0).get(10)

        with closing(a_loop(settings)) as loop:
            loop.run_until(lambda: loop.committed == 5)
            began_s = time.monotonic()
            loop.run_until(lambda: time.monotonic() - began_s > 3)

    assert committed_offsets(settings, 1) == [5]


def test_a_topic_that_is_deleted_and_comes_back_is_decided_from_its_beginning(settings: KafkaSettings) -> None:
    fill(settings, 10)
    with capture_logs() as logs, closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == 10)
        delete_topic(settings, settings.events_topic)
        loop.run_until(lambda: "topic_gone" in troubles(loop))
        create_topics(settings, partitions=1, replication=1)
        fill(settings, 4)
        loop.run_until(lambda: loop.committed == 14)
        loop.run_until(lambda: "events_topic_back" in events_of(logs))

    assert troubles(loop) == {}
    assert events_of(logs).count("events_topic_gone") == events_of(logs).count("events_topic_back") == 1
    assert offsets_out(settings) == sorted([*range(10), *range(4)])


def test_another_topic_under_the_same_name_is_read_from_its_beginning(settings: KafkaSettings) -> None:
    fill(settings, 10)
    decide_all(settings, 10)
    position = stored(settings)
    delete_topic(settings, settings.events_topic)
    create_topics(settings, partitions=1, replication=1)
    fill(settings, 15)
    with admin_of(settings) as admin:
        admin.alter_group_offsets(settings.group_id, {partition_of(settings): position})

    with capture_logs() as logs:
        decide_all(settings, 15)

    assert lines_of(logs, "topic_recreated") == [{"partition": 0, "position": 10, "events": 15}]
    assert offsets_out(settings) == sorted([*range(10), *range(15)])
