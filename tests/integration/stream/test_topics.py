"""Topics on a real broker: created once, looked at before the start, and the start awaited."""

import time
from contextlib import closing

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from structlog.testing import capture_logs
from typer.testing import CliRunner

from moderator.cli.app import app
from moderator.errors import BrokerUnavailableError, ConfigurationError
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import OUTPUT_BATCH_BYTES
from moderator.stream.kafka.topics import DEAD_LETTER_EXTRA_BYTES, await_topics, create_topics
from moderator.supervisor.child import free_ports
from tests.kafka_stream import TOPIC_SETTINGS, output_topics, some_names
from tests.servers.shared import SharedKafka


def topic_configs(settings: KafkaSettings) -> dict[str, dict[str, str]]:
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    try:
        topics = [settings.events_topic, *output_topics(settings), settings.labels_topic]
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        found = admin.describe_configs(resources, config_filter="all")["topic"]
        return {topic: {name: each["value"] for name, each in found[topic].items()} for topic in topics}
    finally:
        admin.close()


def test_topics_are_created_with_the_brokers_time_and_room_for_whole_batches(kafka_settings: KafkaSettings) -> None:
    configs = topic_configs(kafka_settings)

    assert configs[kafka_settings.events_topic]["message.timestamp.type"] == "LogAppendTime"
    rooms = {int(configs[topic]["max.message.bytes"]) for topic in output_topics(kafka_settings)}
    assert rooms == {OUTPUT_BATCH_BYTES}
    assert configs[kafka_settings.labels_topic]["cleanup.policy"] == "compact"


def test_dead_letters_have_room_beside_the_largest_event(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    large_bytes = 2 * OUTPUT_BATCH_BYTES
    limit = {"max.message.bytes": str(large_bytes)}
    admin.create_topics({settings.events_topic: {"num_partitions": 1, "replication_factor": 1, "configs": limit}})
    admin.close()

    create_topics(settings, partitions=1, replication=1)

    room = int(topic_configs(settings)[settings.dead_letter_topic]["max.message.bytes"])
    assert room == large_bytes + DEAD_LETTER_EXTRA_BYTES


def test_topics_that_exist_are_left_as_they_are(kafka_settings: KafkaSettings) -> None:
    created = create_topics(kafka_settings, partitions=9, replication=1)

    assert set(created.values()) == {False}


def test_the_start_learns_what_each_output_topic_takes(kafka_settings: KafkaSettings) -> None:
    limits = await_topics(kafka_settings).limits_bytes

    assert set(limits) == set(output_topics(kafka_settings))
    assert limits[kafka_settings.dead_letter_topic] == OUTPUT_BATCH_BYTES


def test_a_missing_topic_is_named_with_the_command_that_makes_it(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)

    with pytest.raises(ConfigurationError, match=rf"`{settings.flag_topic}`.*`moderator topics create`"):
        await_topics(settings)


def test_more_copies_than_brokers_are_refused_in_plain_words(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)

    with pytest.raises(ConfigurationError, match=r"cannot be created.*replicat"):
        create_topics(settings, partitions=1, replication=3)


def test_brokers_that_do_not_answer_are_given_up_after_the_start_timeout() -> None:
    settings = some_names(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}", start_timeout_s=3)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    with pytest.raises(BrokerUnavailableError, match=r"did not answer within 3 s"):
        await_topics(settings, sleep=sleep)

    assert 0 < sum(waits) < 3


def test_the_command_says_of_each_topic_whether_it_is_new(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)
    names = TOPIC_SETTINGS
    environment = {f"MODERATOR_KAFKA__{name.upper()}": getattr(settings, name) for name in names}
    command = ["topics", "create", "--partitions", "2", "--bootstrap-servers", kafka.bootstrap_servers]

    first, second = (CliRunner().invoke(app, command, env=environment) for _ in range(2))

    assert first.stdout.splitlines() == [f"{environment[f'MODERATOR_KAFKA__{n.upper()}']}: created" for n in names]
    assert second.stdout.count("exists already, left as it is") == len(names)
    assert first.stderr == second.stderr == ""


def test_a_topic_that_carries_its_producers_time_is_reported(kafka: SharedKafka) -> None:
    settings = some_names(bootstrap_servers=kafka.bootstrap_servers)
    with closing(KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)) as admin:
        config = {"message.timestamp.type": "CreateTime"}
        admin.create_topics([NewTopic(settings.events_topic, 3, 1, topic_configs=config)])
    create_topics(settings, partitions=3, replication=1)

    with capture_logs() as lines:
        topics = await_topics(settings)

    assert not topics.has_brokers_time
    assert "events_carry_producers_time" in [line["event"] for line in lines]
