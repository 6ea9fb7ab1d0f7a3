"""Publish the decisions, then commit the offsets."""

from collections.abc import Sequence

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.producing.delivery import DEADLINE_S, Send, deliver


class AtLeastOnce:
    """Offsets are committed when all records have arrived: duplicates are possible, losses are not.

    Args:
        membership: whose offsets are committed.
        send: passes the outcomes to the producer.
        deadline_s: for each step of an attempt, while the broker is as quick as usual.
    """

    def __init__(self, membership: Membership, send: Send, *, deadline_s: float = DEADLINE_S) -> None:
        self._membership = membership
        self._send = send
        self._usual_deadline_s = self._deadline_s = deadline_s
        self.step = ""
        self.is_confirming = False

    def start(self, producer: KafkaProducer, timeout_factor: int) -> None:  # noqa: ARG002 - a port's signature
        """Prepare nothing: an idempotent producer is ready."""
        self._deadline_s = timeout_factor * self._usual_deadline_s

    def may_attempt(self, spans: Sequence[DecidedSpan]) -> bool:  # noqa: ARG002 - a port's signature
        """Allow every attempt."""
        return True

    def attempt(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:  # noqa: ARG002 - a port's signature
        """Publish, then commit; see `Delivery`."""
        self.step = "deliver"
        deliver(producer, self._send(producer, spans), self._deadline_s)
        self.step = "commit"
        self._membership.consumer.commit(self._membership.next_offsets(spans), timeout_ms=self._deadline_s * 1_000)

    def failed(self, error: KafkaError) -> None:
        """Note nothing: what may have arrived is published again."""
