"""Where a group begins, on a real broker: `latest` skips what was there before its first start, and nothing else."""

from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions
from prometheus_client import CollectorRegistry

from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.source_and_sink import connect
from tests.kafka_stream import committed_offsets, produce, some_topics, usual_limits
from tests.servers import SharedKafka
from tests.waiting import await_condition


@pytest.fixture
def settings(kafka: SharedKafka) -> KafkaSettings:
    """A group that begins at the end of a topic which holds two events a partition."""
    settings = some_topics(kafka.bootstrap_servers, start_at="latest")
    produce(settings, [b"old"] * 6)
    return settings


def polled(settings: KafkaSettings, count: int) -> list[bytes | None]:
    """Poll until `count` records came, then leave like a crash would: nothing is committed."""
    values: list[bytes | None] = []

    def have_come() -> bool:
        values.extend(record.value for batch in source.poll(100) for record in batch.items)
        return source.is_joined and len(values) >= count

    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        await_condition(have_come)
    return values


def test_a_new_group_skips_what_was_there_before_it(settings: KafkaSettings) -> None:
    polled(settings, 0)

    assert committed_offsets(settings) == [2, 2, 2]


def test_what_came_before_the_first_commit_is_not_skipped_by_the_next_start(settings: KafkaSettings) -> None:
    polled(settings, 0)
    produce(settings, [b"new"] * 3)

    first, second = (polled(settings, 3) for _ in range(2))

    assert first == second == [b"new"] * 3


def test_a_partition_that_is_added_while_nobody_runs_is_read_from_its_first_event(settings: KafkaSettings) -> None:
    polled(settings, 0)
    with closing(KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)) as admin:
        admin.create_partitions({settings.events_topic: NewPartitions(4)})
        admin.wait_for_topics([settings.events_topic])
    produce(settings, [b"0", b"1", b"2", b"3"], partitions=4)

    assert set(polled(settings, 4)) == {b"0", b"1", b"2", b"3"}


def test_a_group_that_is_at_work_is_not_moved(settings: KafkaSettings) -> None:
    at_work = settings.model_copy(update={"start_at": "earliest"})
    source, sink = connect(at_work, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        await_condition(lambda: bool(source.poll(100)) or source.is_joined)

        for part in connect(settings, usual_limits(settings), Metrics(CollectorRegistry())):
            part.close()

    assert polled(at_work, 6) == [b"old"] * 6
