"""The console on a real broker: what is published appears, and nothing that the console does can be noticed there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from moderator.settings import KafkaSettings
from moderator.stream.kafka.following.lag import read_lag
from tests.kafka_stream import produce, some_names
from tests.servers.console_source import START_MS, RunningSource, publish
from tests.unit.console.decisions import NOW_MS, a_decision, encoded
from tests.waiting import await_condition


@pytest.fixture
def running(kafka_settings: KafkaSettings) -> Iterator[RunningSource]:
    publish(kafka_settings, kafka_settings.flag_topic, encoded(a_decision(1, flag=True)))
    publish(kafka_settings, kafka_settings.allow_topic, encoded(a_decision(2)), commit=False)
    publish(kafka_settings, kafka_settings.allow_topic, encoded(a_decision(3)))
    opened = RunningSource(kafka_settings)
    yield opened
    opened.close()


def test_what_is_committed_is_read_and_what_comes_later_appears(
    running: RunningSource, kafka_settings: KafkaSettings
) -> None:
    running.await_state("live")
    before = running.events()
    producer = KafkaProducer(bootstrap_servers=kafka_settings.bootstrap_servers)
    headers = [("dlq.reason", b"no_text"), ("dlq.topic", b"chat.events")]
    producer.send(kafka_settings.dead_letter_topic, b"secret", b"key", headers)
    producer.close()
    publish(kafka_settings, kafka_settings.allow_topic, encoded(a_decision(4)))

    await_condition(lambda: len(running.events()) == 3 and len(running.recent.dead_letters) == 1)

    assert sorted(before) == ["evt-1", "evt-3"]
    assert running.source.state.was_read
    assert running.recent.dead_letters[0].reason == "no_text"


def test_what_is_older_than_the_lookback_is_not_read(kafka_settings: KafkaSettings) -> None:
    publish(kafka_settings, kafka_settings.flag_topic, encoded(a_decision(1), a_decision(2)))
    two_seconds = (NOW_MS - START_MS) // 1_000 - 1
    running = RunningSource(kafka_settings, two_seconds)
    try:
        running.await_state("live")

        assert running.events() == ["evt-2"]
    finally:
        running.close()


def test_no_group_and_no_position_is_left_behind(running: RunningSource, kafka_settings: KafkaSettings) -> None:
    running.await_state("live")

    admin = KafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap_servers)
    groups = [group["group_id"] for group in admin.list_groups()]
    admin.close()

    assert kafka_settings.group_id not in groups


def test_a_missing_topic_is_named_and_waited_for_while_the_others_are_read(kafka_settings: KafkaSettings) -> None:
    publish(kafka_settings, kafka_settings.flag_topic, encoded(a_decision(1, flag=True)))
    missing = some_names(bootstrap_servers=kafka_settings.bootstrap_servers).allow_topic
    running = RunningSource(kafka_settings.model_copy(update={"allow_topic": missing}))
    try:
        running.await_state("broken")
        await_condition(lambda: running.events() == ["evt-1"])

        assert f"no topic `{missing}`" in running.source.state.detail
        assert not running.source.state.was_read
    finally:
        running.close()


def test_the_lag_is_what_the_group_has_not_committed(kafka_settings: KafkaSettings) -> None:
    produce(kafka_settings, [b"{}"] * 5, partitions=1)

    # a broker that nobody has asked for a group yet says first that it has no coordinator
    await_condition(lambda: read_lag(kafka_settings).partitions == {0: 5, 1: 0, 2: 0})
    assert (
        "there is no topic `nothing`" in read_lag(kafka_settings.model_copy(update={"events_topic": "nothing"})).problem
    )


def test_brokers_that_do_not_answer_are_waited_for(tmp_path: Path) -> None:
    running = RunningSource(some_names(bootstrap_servers="localhost:9"))
    try:
        running.await_state("broken")

        assert "`localhost:9` does not answer; trying again" in running.source.state.detail
        assert read_lag(some_names(bootstrap_servers="localhost:9")).problem
    finally:
        running.close()
