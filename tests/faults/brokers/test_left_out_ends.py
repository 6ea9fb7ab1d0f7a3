"""Kafka leaves out the end of a transaction where a partition has no leader: nothing is undone, nothing comes twice."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError

from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing import exactly_once
from moderator.stream.kafka.producing.transaction import await_answer
from tests.faults.loop import Loop, a_loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import admin_of, produce, some_names, some_topics
from tests.servers.second_broker import NODE_ID, SecondBroker
from tests.waiting import PATIENCE_S, await_condition

pytestmark = [pytest.mark.usefixtures("kafka_tools"), pytest.mark.long, pytest.mark.xdist_group("two brokers")]

EACH = 20
NOBODY = -1
POSITIONS = TopicPartition("__consumer_offsets", 0)


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
    await_condition(lambda: leader_of(settings, settings.flag_topic) == NODE_ID)
    produce(settings, [b"{}"] * EACH, partitions=1)
    return settings


@pytest.fixture
def positions_on_second(settings: KafkaSettings, first: LocalKafka, second: LocalKafka) -> Iterator[None]:
    """Let the second broker lead what the first coordinates usually: the positions of all groups."""
    move_positions(settings, NODE_ID)
    yield
    move_positions(settings, 1)


def move_positions(settings: KafkaSettings, node: int) -> None:
    with admin_of(settings) as admin:
        admin.alter_partition_reassignments({POSITIONS: [node]})
        await_condition(lambda: not admin.list_partition_reassignments([POSITIONS]))
    await_condition(lambda: leader_of(settings, POSITIONS.topic) == node)


def leader_of(settings: KafkaSettings, topic: str) -> int | None:
    try:
        with admin_of(settings) as admin:
            (partition,) = admin.describe_topics([topic])[0]["partitions"]
    except KafkaError:
        return None
    return int(partition["leader_id"])


def take_away(settings: KafkaSettings, second: LocalKafka, topic: str) -> None:
    """Kill the broker that leads the topic; return when the other one knows."""
    second.kill()
    await_condition(lambda: leader_of(settings, topic) == NOBODY)


def give_back(settings: KafkaSettings, second: LocalKafka, topic: str) -> None:
    second.start()
    await_condition(lambda: leader_of(settings, topic) == NODE_ID)


def has_failed(loop: Loop, error: str = "") -> bool:
    """Check whether a publication has failed, with this error."""
    (failures,) = loop.metrics.publish_failures.collect()
    return any(sample.value and error in sample.labels["failure"] for sample in failures.samples)


def at_its_next_commit(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, *happens: Callable[[], object], is_made: bool = True, fails: bool
) -> None:
    """Let something happen once, when records and positions have arrived and their commit would begin.

    Args:
        happens: before the commit.
        is_made: whether the commit begins.
        fails: whether there is no answer.
    """
    begin, delivery = exactly_once.begin_end, loop.sink._delivery  # type: ignore[attr-defined]

    def begin_later(producer: KafkaProducer, *, commits: bool) -> Any:
        if delivery.step != "commit":
            return begin(producer, commits=commits)
        monkeypatch.setattr(exactly_once, "begin_end", begin)
        for each in happens:
            each()
        if is_made:
            begun = begin(producer, commits=commits)
            await_answer(begun, PATIENCE_S)
        if fails:
            raise KafkaTimeoutError("no answer")
        return begun

    monkeypatch.setattr(exactly_once, "begin_end", begin_later)


def test_what_was_committed_without_an_end_is_not_undone_by_a_transaction_of_the_next_process(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, settings.flag_topic), fails=False)
        loop.run_until(lambda: loop.committed == EACH)
    give_back(settings, second, settings.flag_topic)
    produce(settings, [b"{}"] * EACH, partitions=1)

    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [2 * EACH])


def test_nor_by_one_of_the_process_that_committed_it(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, settings.flag_topic), fails=False)
        loop.run_until(lambda: loop.committed == EACH)
        produce(settings, [b"{}"] * EACH, partitions=1)
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
        give_back(settings, second, settings.flag_topic)
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == 2 * EACH)

    assert_each_event_came_out_once(settings, [2 * EACH])


def test_what_was_aborted_without_an_end_is_not_published_by_the_next_commit(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(
            loop, monkeypatch, partial(take_away, settings, second, settings.flag_topic), is_made=False, fails=True
        )
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
        give_back(settings, second, settings.flag_topic)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_positions_that_an_end_left_hidden_are_found_again_by_the_process_that_committed_them(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, POSITIONS.topic), fails=True)
        loop.run_until(lambda: has_failed(loop))
        give_back(settings, second, POSITIONS.topic)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_and_by_the_next_process(settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(take_away, settings, second, POSITIONS.topic), fails=False)
        loop.run_until(lambda: loop.committed == EACH)
    give_back(settings, second, POSITIONS.topic)
    produce(settings, [b"{}"] * EACH, partitions=1)

    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [2 * EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_positions_that_were_aborted_without_an_end_are_not_committed_by_the_next_commit(
    settings: KafkaSettings, second: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = partial(take_away, settings, second, POSITIONS.topic)
    with closing(a_loop(settings)) as loop:
        at_its_next_commit(loop, monkeypatch, away, is_made=False, fails=True)
        loop.run_until(lambda: has_failed(loop))
        give_back(settings, second, POSITIONS.topic)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(settings, [EACH])
