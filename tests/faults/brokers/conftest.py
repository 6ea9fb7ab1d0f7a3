"""Two brokers without replicas: the second one, behind a proxy, leads a few partitions and can be taken away."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError

from moderator.demo.servers.kafka import LocalKafka
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing import exactly_once
from moderator.stream.kafka.producing.transaction import await_answer
from moderator.stream.kafka.source_and_sink import transactional_id
from tests.faults.kafka_proxy import KafkaProxy
from tests.faults.loop import Loop, a_loop
from tests.kafka_stream import admin_of, produce, some_names, some_topics
from tests.servers.second_broker import NODE_ID, SecondBroker
from tests.waiting import PATIENCE_S, await_condition

EACH = 20
POSITIONS = TopicPartition("__consumer_offsets", 0)
_NOBODY = -1


class BehindProxy(SecondBroker):
    """A second broker that clients and the first one reach through a proxy."""

    def __init__(self, first: LocalKafka, proxy: KafkaProxy) -> None:
        super().__init__(first)
        self._proxy = proxy
        proxy.upstream_port = self._port

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {"advertised.listeners": f"PLAINTEXT://{self._proxy.address}"}


@dataclass(frozen=True, slots=True)
class TwoBrokers:
    """All topics on the first broker, but that of the flags; `EACH` events wait.

    Attributes:
        proxy: what clients and the first broker reach the second one through.
    """

    settings: KafkaSettings
    second: LocalKafka
    proxy: KafkaProxy

    def leader_of(self, topic: str) -> int | None:
        """Ask the first broker for the leader of a topic's only partition; None while it does not answer."""
        try:
            with admin_of(self.settings) as admin:
                (partition,) = admin.describe_topics([topic])[0]["partitions"]
        except KafkaError:
            return None
        return int(partition["leader_id"])

    def take_away(self, topic: str) -> None:
        """Kill the second broker; return when the first one knows that the topic has no leader."""
        self.second.kill()
        await_condition(lambda: self.leader_of(topic) == _NOBODY)

    def give_back(self, topic: str) -> None:
        """Start the second broker again; return when it leads the topic."""
        self.second.start()
        await_condition(lambda: self.leader_of(topic) == NODE_ID)

    def move_positions(self, node: int) -> None:
        """Let a broker lead the positions of all groups."""
        with admin_of(self.settings) as admin:
            admin.alter_partition_reassignments({POSITIONS: [node]})
            await_condition(lambda: not admin.list_partition_reassignments([POSITIONS]))
        await_condition(lambda: self.leader_of(POSITIONS.topic) == node)

    def await_transaction(self, *states: str) -> None:
        """Wait until the transaction of the only replica is in one of these states."""
        name = transactional_id(self.settings)
        with admin_of(self.settings) as admin:
            await_condition(lambda: admin.describe_transactions([name])[name].state.value in states)


@pytest.fixture(scope="module")
def first(kafka_tools: None) -> Iterator[LocalKafka]:
    """The broker that coordinates groups and transactions."""
    with LocalKafka() as first:
        settings = some_topics(first.bootstrap_servers, partitions=1)
        produce(settings, [b"{}"], partitions=1)
        with closing(a_loop(settings)) as loop:
            loop.run_until(lambda: loop.committed == 1)
        yield first


@pytest.fixture(scope="module")
def proxy() -> Iterator[KafkaProxy]:
    with KafkaProxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def second(first: LocalKafka, proxy: KafkaProxy) -> Iterator[LocalKafka]:
    with BehindProxy(first, proxy) as second:
        yield second


@pytest.fixture
def two(first: LocalKafka, second: LocalKafka, proxy: KafkaProxy) -> TwoBrokers:
    settings = some_names(bootstrap_servers=first.bootstrap_servers, instance_id="one")
    two = TwoBrokers(settings, second, proxy)
    on_first = [settings.events_topic, settings.allow_topic, settings.dead_letter_topic]
    topics = [NewTopic(topic, replica_assignments={0: [1]}) for topic in on_first]
    with admin_of(settings) as admin:
        admin.create_topics([*topics, NewTopic(settings.flag_topic, replica_assignments={0: [NODE_ID]})])
    await_condition(lambda: two.leader_of(settings.flag_topic) == NODE_ID)
    produce(settings, [b"{}"] * EACH, partitions=1)
    return two


@pytest.fixture
def positions_on_second(two: TwoBrokers) -> Iterator[None]:
    """Let the second broker lead what the first coordinates usually: the positions of all groups."""
    two.move_positions(NODE_ID)
    yield
    two.move_positions(1)


def has_failed(loop: Loop, failure: str = "") -> bool:
    """Check whether a publication has failed so."""
    (failures,) = loop.metrics.publish_failures.collect()
    return any(sample.value and failure in sample.labels["failure"] for sample in failures.samples)


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
