"""Where a group begins, on a real broker: never at the oldest event again because its positions are not there."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.demo.servers.kafka import LocalKafka
from moderator.errors import ConfigurationError
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.source_and_sink import begin_group, connect, describe_start
from tests.faults.loop import a_loop
from tests.kafka_stream import add_partitions, committed_offsets, produce, some_topics, usual_limits
from tests.waiting import await_condition


@pytest.fixture
def settings(kafka: LocalKafka) -> KafkaSettings:
    """A group that has not started, and a topic that holds two events a partition."""
    settings = some_topics(kafka.bootstrap_servers)
    produce(settings, [b"old"] * 6)
    return settings


def at(settings: KafkaSettings, start_at: str | None) -> KafkaSettings:
    return settings.model_copy(update={"start_at": start_at})


def polled(settings: KafkaSettings, count: int) -> list[bytes | None]:
    """Poll until `count` records came, then leave like a crash would: nothing is committed."""
    values: list[bytes | None] = []

    def have_come() -> bool:
        values.extend(record.value for batch in source.poll(100) for record in batch.items)
        return source.is_joined and len(values) >= count

    begin_group(settings)
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        await_condition(have_come)
    return values


def decide_all(settings: KafkaSettings, events: int) -> None:
    begin_group(settings)
    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == events)


def lines_of(logs: Sequence[Any], event: str) -> list[tuple[Any, ...]]:
    return [(line["log_level"], line["at"], line["events"]) for line in logs if line["event"] == event]


def test_without_decisions_a_new_group_begins_at_the_oldest_event(settings: KafkaSettings) -> None:
    with capture_logs() as logs:
        begin_group(settings)
        begin_group(settings)

    assert lines_of(logs, "group_begins") == [("info", "earliest", 6)]
    assert polled(settings, 6) == [b"old"] * 6


def test_a_new_group_over_an_empty_topic_has_begun_and_reads_what_comes(kafka: LocalKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers)

    with capture_logs() as logs:
        begin_group(settings)
    produce(settings, [b"new"] * 3)

    assert logs == []
    assert polled(at(settings, "latest"), 3) == [b"new"] * 3


@pytest.mark.parametrize(
    "start_at", ["latest", pytest.param(datetime(2090, 1, 1, tzinfo=UTC).isoformat(), marks=pytest.mark.long)]
)
def test_a_new_group_skips_what_was_there_before_it_and_nothing_that_comes(
    settings: KafkaSettings, start_at: str
) -> None:
    settings = at(settings, start_at)
    begin_group(settings)
    produce(settings, [b"new"] * 3)

    first, second = (polled(settings, 3) for _ in range(2))

    assert first == second == [b"new"] * 3


def test_a_new_group_begins_at_a_time(settings: KafkaSettings) -> None:
    since = datetime.now(UTC) + timedelta(milliseconds=2)
    await_condition(lambda: datetime.now(UTC) > since)
    produce(settings, [b"new"] * 3)

    with capture_logs() as logs:
        begin_group(at(settings, since.isoformat()))

    assert lines_of(logs, "group_begins") == [("info", since.isoformat(), 3)]
    assert committed_offsets(settings) == [2, 2, 2]


def test_a_group_that_lost_its_positions_is_refused_with_the_count_and_three_ways(settings: KafkaSettings) -> None:
    decide_all(settings, 6)
    forget(settings)

    with pytest.raises(ConfigurationError) as raised:
        begin_group(settings)

    text = str(raised.value)
    assert f"group `{settings.group_id}` has no position" in text
    assert "all 6 events would be judged" in text
    assert f"the newest that this group made is of {datetime.now(UTC).year}-" in text
    assert "`offsets.retention.minutes`" in text
    assert all(way in text for way in ("`earliest`", "`latest`", "`2026-11-29T06:00:00Z`"))
    assert committed_offsets(settings) == [0, 0, 0]


def test_a_mistyped_group_is_refused_and_begins_where_it_is_said(settings: KafkaSettings) -> None:
    decide_all(settings, 6)
    other = settings.model_copy(update={"group_id": f"{settings.group_id}-typo"})

    with pytest.raises(ConfigurationError, match="hold decisions: either another group made them"):
        describe_start(other)
    with capture_logs() as logs:
        begin_group(at(other, "latest"))

    assert lines_of(logs, "group_begins") == [("warning", "latest", 0)]
    assert committed_offsets(other) == [2, 2, 2]


def test_a_partition_that_is_added_while_nobody_runs_is_read_from_its_first_event(settings: KafkaSettings) -> None:
    settings = at(settings, "latest")
    begin_group(settings)
    add_partitions(settings, 4)
    produce(settings, [b"0", b"1", b"2", b"3"], partitions=4)

    with capture_logs() as logs:
        found = polled(settings, 4)

    assert set(found) == {b"0", b"1", b"2", b"3"}
    begun = [(line["partition"], line["at"]) for line in logs if line["event"] == "partition_begins"]
    assert begun == [(3, 0)]


def test_a_group_that_is_at_work_is_not_moved(settings: KafkaSettings) -> None:
    begin_group(settings)
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        await_condition(lambda: bool(source.poll(100)) or source.is_joined)

        begin_group(at(settings, "latest"))

    assert polled(settings, 6) == [b"old"] * 6


def test_where_a_group_would_begin_can_be_asked_without_changing_anything(settings: KafkaSettings) -> None:
    fresh = describe_start(settings)
    untouched = committed_offsets(settings)
    decide_all(settings, 6)
    produce(settings, [b"new"] * 3)

    assert fresh == (
        f"new group `{settings.group_id}`, 6 events to judge: "
        "partition 0 at 0 (2 events), partition 1 at 0 (2 events), partition 2 at 0 (2 events)"
    )
    assert untouched == [0, 0, 0]
    assert describe_start(settings) == (
        f"group `{settings.group_id}`, 3 events to judge: "
        "partition 0 at 2 (1 event), partition 1 at 2 (1 event), partition 2 at 2 (1 event)"
    )


def test_asked_where_it_would_go_on_it_says_what_is_lost_and_refuses_where_that_stops_a_start(
    settings: KafkaSettings,
) -> None:
    decide_all(settings, 6)
    produce(settings, [b"new"] * 9)
    with closing(KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)) as admin:
        admin.delete_records({TopicPartition(settings.events_topic, 1): 4})

    said = describe_start(settings)
    with pytest.raises(ConfigurationError) as raised:
        describe_start(settings.model_copy(update={"on_lost_events": "stop"}))

    loss = "the group's position is 2, but the log begins at 4: 2 events are lost unread"
    assert f"partition 0 at 2 (3 events), partition 1 at 4 (1 event; {loss}), partition 2 at 2 (3 events)" in said
    assert str(raised.value).startswith(f"topic `{settings.events_topic}` partition 1: {loss}; ")
    assert "`MODERATOR_KAFKA__ON_LOST_EVENTS=stop`" in str(raised.value)


def forget(settings: KafkaSettings) -> None:
    """Drop the group's positions, as brokers do after `offsets.retention.minutes`."""
    partitions = [TopicPartition(settings.events_topic, number) for number in range(3)]
    with closing(KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)) as admin:
        await_condition(lambda: is_forgotten(admin, settings, partitions))


def is_forgotten(admin: KafkaAdminClient, settings: KafkaSettings, partitions: list[TopicPartition]) -> bool:
    admin.delete_group_offsets(settings.group_id, partitions)
    return committed_offsets(settings) == [0, 0, 0]
