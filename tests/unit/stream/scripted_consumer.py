"""Kafka's consumer as far as our place in the group asks of it, following a script."""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import IllegalStateError
from kafka.structs import ConsumerGroupMetadata, MemberState

from moderator.stream.membership import Membership

Polled = dict[TopicPartition, list[Any]]


class MetricName(NamedTuple):
    group: str
    name: str


class Gauge(NamedTuple):
    value: Callable[[], float]


class ScriptedConsumer:
    """A settled member that owns nothing; `poll` gives what the script gives, or raises what it raises."""

    def __init__(self, script: Callable[[], Polled] = dict) -> None:
        self._script = script
        self.answers = True
        self.is_closed = False

    def poll(self, timeout_ms: float) -> Polled:
        if self.is_closed:
            raise IllegalStateError("KafkaConsumer is closed")
        return self._script()

    def subscribe(self, topics: list[str], listener: object) -> None:
        pass

    def metrics(self, *, raw: bool) -> dict[MetricName, Gauge]:
        assert raw
        gauge = Gauge(lambda: 1.0 if self.answers else 0.0)
        names = (("consumer-metrics", "response-rate"), ("consumer-coordinator-metrics", "heartbeat-rate"))
        return {MetricName(*name): gauge for name in names}

    def group_metadata(self) -> ConsumerGroupMetadata:
        return ConsumerGroupMetadata("group", 1, "member", None, MemberState.STABLE)

    def assignment(self) -> set[TopicPartition]:
        return set()

    def paused(self) -> set[TopicPartition]:
        return set()

    def close(self, **_: object) -> None:
        self.is_closed = True


def a_membership(connect: Callable[[], ScriptedConsumer]) -> Membership:
    return Membership(connect, "chat.events")
