"""Publish what was decided, then commit what was consumed."""

from collections.abc import Callable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from moderator.events import DecidedSpan, Published
from moderator.stream.kafka.commit import DEADLINE_S, Send, deliver, next_offsets, stop_if_hopeless
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.producers import Producers


class AtLeastOnce:
    """Records first, offsets when all have arrived: duplicates possible, losses never."""

    def __init__(
        self,
        membership: Membership,
        build: Callable[[], KafkaProducer],
        send: Send,
        *,
        patience: FailureBudget,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._membership = membership
        self._producers = Producers(build)
        self._send = send
        self._patience = patience
        self._deadline_s = deadline_s

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one attempt; see `Commit`.

        Raises:
            FencedError: another process uses our instance id.
            StoppedError: it can never succeed.
        """
        if self._patience.is_resting or self._membership.settled() is None:
            return Published(committed=[], retry=spans)
        spans = self._membership.owned(spans)
        if not spans:
            return Published(committed=[], retry=[])
        try:
            producer = self._producers.get()
            deliver(producer, self._send(producer, spans), self._deadline_s)
            self._membership.consumer.commit(next_offsets(spans), timeout_ms=self._deadline_s * 1_000)
        except KafkaError as error:
            self._give_up(error)
            return Published(committed=[], retry=spans)
        self._patience.reward()
        self._membership.in_flight.committed(spans)
        return Published(committed=spans, retry=[])

    def close(self) -> None:
        """Release the producer."""
        self._producers.close()

    def _give_up(self, error: KafkaError) -> None:
        self._producers.drop()
        stop_if_hopeless(error)
        self._patience.strain(error)
