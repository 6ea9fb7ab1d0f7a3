"""Kafka leaves out the end of a transaction where a partition has no leader: nothing is undone, nothing comes twice."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError

from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing import exactly_once
from tests.faults.loop import Loop, a_loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import admin_of, produce, some_names, some_topics
from tests.servers.second_broker import NODE_ID, SecondBroker
from tests.waiting import await_condition

pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]

EACH = 20
NOBODY = -1


@pytest.fixture(scope="module")
def first() -> Iterator[LocalKafka]:
    """The broker that coordinates groups and transactions."""
    with LocalKafka() as first:
        settings = some_topics(first.bootstrap_servers, partitions=1)
        produce(settings, [b"{}"], partitions=1)
        with closing(a_loop(settings)) as loop:
            loop.run_until(lambda: loop.committed == 1)
        yield first


@pytest.fixture(scope="module")
def second(first: LocalKafka) -> Iterator[LocalKafka]:
    with SecondBroker(first) as second:
        yield second


@pytest.fixture
def settings(first: LocalKafka, second: LocalKafka) -> KafkaSettings:
    """All topics on the first broker, but that of the flags; events that wait."""
    settings = some_names(bootstrap_servers=first.bootstrap_servers, instance_id="one")
    on_first = [settings.events_topic, settings.allow_topic, settings.dead_letter_topic]
    topics = [NewTopic(topic, replica_assignments={0: [1]}) for topic in on_first]
    with admin_of(settings) as admin:
        admin.create_topics([*topics, NewTopic(settings.flag_topic, replica_assignments={0: [NODE_ID]})])
    await_condition(lambda: leader_of_flags(settings) == NODE_ID)
    produce(settings, [b"{}"] * EACH, partitions=1)
    return settings


def leader_of_flags(settings: KafkaSettings) -> int | None:
    try:
        with admin_of(settings) as admin:
            (partition,) = admin.describe_topics([settings.flag_topic])[0]["partitions"]
    except KafkaError:
        return None
    return int(partition["leader_id"])


def take_leader_away(settings: KafkaSettings, second: LocalKafka) -> None:
    second.kill()
    await_condition(lambda: leader_of_flags(settings) == NOBODY)


def give_leader_back(settings: KafkaSettings, second: LocalKafka) -> None:
    second.start()
    await_condition(lambda: leader_of_flags(settings) == NODE_ID)


def before_its_next_commit(loop: Loop, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, when records and positions have arrived and their commit would begin."""
    begin, delivery = exactly_once.begin_end, loop.sink._delivery  # type: ignore[attr-defined]

    def begin_later(producer: KafkaProducer, *, commits: bool) -> Any:
        if delivery.step == "commit":
            monkeypatch.setattr(exactly_once, "begin_end", begin)
            happens()
        return begin(producer, commits=commits)

    monkeypatch.setattr(exactly_once, "begin_end", begin_later)


def no_answer() -> None:
    raise KafkaTimeoutError("no answer")


def test_what_was_committed_without_an_end_is_not_undone_by_a_transaction_of_the_next_process(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        before_its_next_commit(loop, monkeypatch, lambda: take_leader_away(settings, second))
        loop.run_until(lambda: loop.committed == EACH)
    give_leader_back(settings, second)
    produce(settings, [b"{}"] * EACH, partitions=1)

    with closing(a_loop(settings)) as loop:
        before_its_next_commit(loop, monkeypatch, no_answer)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [2 * EACH])


def test_nor_by_one_of_the_process_that_committed_it(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        before_its_next_commit(loop, monkeypatch, lambda: take_leader_away(settings, second))
        loop.run_until(lambda: loop.committed == EACH)
        produce(settings, [b"{}"] * EACH, partitions=1)
        loop.run_until(lambda: loop.metrics.publish_failures.labels("LeaderNotAvailableError")._value.get() > 0)
        give_leader_back(settings, second)
        before_its_next_commit(loop, monkeypatch, no_answer)
        loop.run_until(lambda: loop.committed == 2 * EACH)

    assert_each_event_came_out_once(settings, [2 * EACH])


def test_what_was_aborted_without_an_end_is_not_published_by_the_next_commit(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        take_leader_away(settings, second)
        no_answer()

    with closing(a_loop(settings)) as loop:
        before_its_next_commit(loop, monkeypatch, fail)
        loop.run_until(lambda: loop.metrics.publish_failures.labels("LeaderNotAvailableError")._value.get() > 0)
        give_leader_back(settings, second)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [EACH])
