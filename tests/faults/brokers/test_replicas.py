"""Too few replicas: publishing or reading waits, however long, says so, and goes on by itself."""

from collections.abc import Mapping
from contextlib import closing

import pytest
from kafka.admin import ConfigResourceType, NewTopic

from moderator.demo.servers.kafka import LocalKafka
from moderator.observability.health import Code
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.topics import create_topics
from tests.faults.loop import Loop, a_loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import admin_of, configure, output_topics, produce, some_names, some_topics
from tests.servers.second_broker import NODE_ID, SecondBroker

EACH = 20


def troubles(loop: Loop) -> Mapping[Code, str]:
    assert isinstance(loop.source, KafkaSource)
    return loop.source.troubles


def some_replicated_topics(first: LocalKafka) -> KafkaSettings:
    """Create the events topic on any broker, and outputs that need both."""
    settings = some_names(bootstrap_servers=first.bootstrap_servers)
    create_topics(settings, partitions=1, replication=2)
    configure(settings, ConfigResourceType.TOPIC, output_topics(settings), min_insync_replicas=2)
    return settings


def decide(settings: KafkaSettings) -> None:
    produce(settings, [b"{}"] * EACH, partitions=1)
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)


@pytest.mark.usefixtures("kafka_tools")
@pytest.mark.long
def test_publishing_waits_for_replicas_in_sync_and_goes_on_by_itself() -> None:
    with LocalKafka() as first:
        decide(some_topics(first.bootstrap_servers, partitions=1))  # so that both coordinators are on the first one
        with SecondBroker(first) as second:
            settings = some_replicated_topics(first)
            produce(settings, [b"{}"] * EACH, partitions=1)
            with closing(a_loop(settings)) as loop:
                loop.run_until(lambda: loop.committed == EACH)
                second.kill()
                produce(settings, [b"{}"] * EACH, partitions=1)
                loop.run_until(lambda: "not_publishing" in troubles(loop))
                waits_for = troubles(loop)["not_publishing"]
                second.start()
                loop.run_until(lambda: loop.committed == 2 * EACH)
            assert_each_event_came_out_once(settings, [2 * EACH])

    assert waits_for.endswith("has 1 replicas in sync and needs 2")
    assert troubles(loop) == {}


def some_topics_with_events_on_both(first: LocalKafka) -> KafkaSettings:
    """Create the events topic with a partition on each broker, and outputs on the first one."""
    settings = some_names(bootstrap_servers=first.bootstrap_servers)
    outputs = [NewTopic(topic, replica_assignments={0: [1]}) for topic in output_topics(settings)]
    with admin_of(settings) as admin:
        admin.create_topics([*outputs, NewTopic(settings.events_topic, replica_assignments={0: [1], 1: [NODE_ID]})])
    return settings


@pytest.mark.usefixtures("kafka_tools")
@pytest.mark.long
def test_a_partition_that_cannot_be_read_is_reported_while_the_others_are_read() -> None:
    with LocalKafka() as first:
        decide(some_topics(first.bootstrap_servers, partitions=1))
        with SecondBroker(first) as second:
            settings = some_topics_with_events_on_both(first)
            produce(settings, [b"{}"] * EACH, partitions=2)
            with closing(a_loop(settings)) as loop:
                loop.run_until(lambda: loop.committed == EACH)
                second.kill()
                produce(settings, [b"{}"] * EACH, partitions=1)
                loop.run_until(lambda: loop.committed == 2 * EACH)
                loop.run_until(lambda: "not_reading" in troubles(loop))
                unread = troubles(loop)["not_reading"]
                second.start()
                loop.run_until(lambda: not troubles(loop))
                produce(settings, [b"{}"] * EACH, partitions=2)
                loop.run_until(lambda: loop.committed == 3 * EACH)
            assert_each_event_came_out_once(settings, [2 * EACH, EACH])

    assert unread.startswith(f"topic `{settings.events_topic}` partition 1 cannot be read for 3")
    assert unread.endswith("s: it has no leader")
