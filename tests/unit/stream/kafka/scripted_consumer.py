"""Kafka's consumer, as much of it as our membership of the group uses, following a script."""

import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import IllegalStateError, KafkaError
from kafka.structs import ConsumerGroupMetadata, MemberState, OffsetAndMetadata
from prometheus_client import CollectorRegistry

from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.consuming.placing import Placing
from moderator.stream.kafka.consuming.source import KafkaSource

Polled = dict[TopicPartition, list[Any]]
SETTLED = ConsumerGroupMetadata("group", 1, "member", None, MemberState.STABLE)


class MetricName(NamedTuple):
    group: str
    name: str


class Gauge(NamedTuple):
    value: Callable[[], float]


class Heartbeat:
    """When the coordinator answered."""

    def __init__(self) -> None:
        self.last_receive = self.last_reset = float("inf")


Committed = dict[TopicPartition, OffsetAndMetadata]


class Loop:
    """The client's own thread, and what sends requests there: what it runs is finished at once, and nobody waits."""

    def __init__(self) -> None:
        self._net = self

    def run(self, job: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
        try:
            job(*arguments).send(None)
        except StopIteration as ended:
            return ended.value
        raise AssertionError("it waits")

    def call_soon(self, job: Callable[..., Any], *arguments: Any) -> Any:
        return job(*arguments)

    async def wait_for(self, asked: Coroutine[Any, Any, Any], _timeout_ms: float) -> Any:
        return await asked

    async def sleep(self, _seconds: float) -> None:
        pass


class Coordinator:
    """The part of the client that joins the group and asks for its positions, as `answer` gives or raises them."""

    def __init__(self, answer: Callable[[list[TopicPartition]], Committed]) -> None:
        self._answer = answer
        self._manager = Loop()
        self.is_known = True
        self.rejoins = 0
        self.heartbeat = Heartbeat()

    async def ensure_coordinator_ready_async(self, timeout_ms: float) -> bool:
        return self.is_known

    async def _send_offset_fetch_request(self, partitions: list[TopicPartition]) -> Committed:
        return self._answer(partitions)

    def request_rejoin(self) -> None:
        self.rejoins += 1


class PartitionState:
    """The client's own state of a partition."""

    def __init__(self, position: OffsetAndMetadata) -> None:
        self.position = position


class Subscription:
    """The client's own state of what is assigned to it."""

    def __init__(self) -> None:
        self.assignment: dict[TopicPartition, PartitionState] = {}


class Cluster:
    """What the client knows of topics: one, with an id and a leader."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {"chat.events": "id-1"}
        self.leader_epoch = 4
        self.updates = 0
        self.without_leader: set[TopicPartition] = set()

    def request_update(self) -> None:
        self.updates += 1

    def topic_id(self, topic: str) -> str | None:
        return self.ids.get(topic)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0, 1} if topic in self.ids else None

    def leader_for_partition(self, partition: TopicPartition) -> int:
        return -1 if partition in self.without_leader else 1

    def leader_epoch_for_partition(self, _: TopicPartition) -> int:
        return self.leader_epoch


class ScriptedConsumer:
    """A settled member that owns nothing and knows no offsets; `poll` gives, or raises, what the script does."""

    def __init__(self, script: Callable[[], Polled] = dict) -> None:
        self._script = script
        self.is_responding = True
        self.has_heartbeats = True
        self.is_closed = False
        self.group = SETTLED
        self.assigned: set[TopicPartition] = set()
        self.committed_offset: int | None = None
        self.committed_error: KafkaError | None = None
        self._subscription = Subscription()
        self._cluster = Cluster()
        self._fetcher = SimpleNamespace(_next_in_line_exception_metadata=None, _next_partition_records=None)
        self.fetched_ends: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._coordinator = Coordinator(self._committed)
        self._net = self._coordinator._manager

    def is_at(self, partition: TopicPartition, offset: int, leader_epoch: int = 4) -> None:
        """Let the client have read so far."""
        self.assigned = self.assigned | {partition}
        position = OffsetAndMetadata(offset, "", leader_epoch)
        self._subscription.assignment[partition] = PartitionState(position)

    @property
    def cluster(self) -> Cluster:
        return self._cluster

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._subscription.assignment[partition] = PartitionState(OffsetAndMetadata(offset, "", -1))

    @property
    def heartbeat(self) -> Heartbeat:
        return self._coordinator.heartbeat

    @property
    def rejoins(self) -> int:
        return self._coordinator.rejoins

    def poll(self, timeout_ms: float) -> Polled:
        if self.is_closed:
            raise IllegalStateError("KafkaConsumer is closed")
        return self._script()

    def subscribe(self, topics: list[str], listener: object) -> None:
        pass

    def metrics(self, *, raw: bool) -> dict[MetricName, Gauge]:
        assert raw
        return {
            MetricName("consumer-metrics", "response-rate"): Gauge(lambda: float(self.is_responding)),
            MetricName("consumer-coordinator-metrics", "heartbeat-rate"): Gauge(lambda: float(self.has_heartbeats)),
        }

    def group_metadata(self) -> ConsumerGroupMetadata:
        return self.group

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def _committed(self, partitions: list[TopicPartition]) -> Committed:
        if self.committed_error:
            raise self.committed_error
        offset = self.committed_offset
        return {} if offset is None else {each: OffsetAndMetadata(offset, "", 4) for each in partitions}

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return self._paused & self.assigned

    def highwater(self, partition: TopicPartition) -> int | None:
        return self.fetched_ends.get(partition)

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: float) -> dict[TopicPartition, int]:
        return {partition: self.ends[partition] for partition in partitions if partition in self.ends}

    def close(self, **_: object) -> None:
        self.is_closed = True


def a_membership(connect: Callable[[], ScriptedConsumer]) -> Membership:
    return Membership(connect, "chat.events", Metrics(CollectorRegistry()))


def a_source(
    membership: Membership,
    connect_reader: Callable[[], object] = ScriptedConsumer,
    end_left_open: Callable[[], object] = lambda: None,
    **arguments: Any,
) -> KafkaSource:
    metrics = Metrics(CollectorRegistry())
    placing = Placing(
        membership,
        "continue",
        metrics,
        holds_markers=lambda _: False,
        end_left_open=end_left_open,
        monotonic_s=arguments.get("monotonic_s", time.monotonic),
    )
    return KafkaSource(membership, placing, connect_reader, **arguments)
