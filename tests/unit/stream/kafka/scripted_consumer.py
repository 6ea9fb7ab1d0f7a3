"""Kafka's consumer, as much of it as our membership of the group uses, following a script."""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import IllegalStateError
from kafka.structs import ConsumerGroupMetadata, MemberState

from moderator.stream.kafka.consuming.membership import Membership

Polled = dict[TopicPartition, list[Any]]
SETTLED = ConsumerGroupMetadata("group", 1, "member", None, MemberState.STABLE)


class MetricName(NamedTuple):
    group: str
    name: str


class Gauge(NamedTuple):
    value: Callable[[], float]


class Coordinator:
    """The part of the client that joins the group."""

    def __init__(self) -> None:
        self.rejoins = 0

    def request_rejoin(self) -> None:
        self.rejoins += 1


class ScriptedConsumer:
    """A settled member that owns nothing and knows no offsets; `poll` gives, or raises, what the script does."""

    def __init__(self, script: Callable[[], Polled] = dict) -> None:
        self._script = script
        self.is_responding = True
        self.is_closed = False
        self.group = SETTLED
        self.assigned: set[TopicPartition] = set()
        self.committed_offset: int | None = None
        self._paused: set[TopicPartition] = set()
        self._coordinator = Coordinator()

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
        gauge = Gauge(lambda: 1.0 if self.is_responding else 0.0)
        names = (("consumer-metrics", "response-rate"), ("consumer-coordinator-metrics", "heartbeat-rate"))
        return {MetricName(*name): gauge for name in names}

    def group_metadata(self) -> ConsumerGroupMetadata:
        return self.group

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def committed(self, partition: TopicPartition, timeout_ms: float) -> int | None:
        return self.committed_offset

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return self._paused & self.assigned

    def position(self, partition: TopicPartition, timeout_ms: float) -> int | None:
        return None

    def highwater(self, partition: TopicPartition) -> int | None:
        return None

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: float) -> dict[TopicPartition, int]:
        return {}

    def close(self, **_: object) -> None:
        self.is_closed = True


def a_membership(connect: Callable[[], ScriptedConsumer]) -> Membership:
    return Membership(connect, "chat.events")
