"""Publishes decisions and dead letters to Kafka, together with the consumed offsets."""

from collections.abc import Callable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Published, Record
from moderator.observability.logging import get_logger
from moderator.stream.kafka.producing.delivery import Delivery, Group, stop_if_permanent
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.marking import Marking
from moderator.stream.kafka.producing.producers import Producers, try_to_close

log = get_logger(__name__)

RejectOversized = Callable[[Record, EncodedDecision], DeadLetter | None]
"""Give the dead letter for a decision that its topic does not accept."""


class KafkaSink:
    """`pipeline.ports.Sink` over Kafka. Same thread as the source.

    Args:
        group: shared with the source: says what we own.
        delivery: exactly once, or at least once.
        build: makes a producer that `delivery` then prepares, and that has so many times its usual time.
        reject_oversized: gives the dead letter for a decision that its topic does not accept.
        failure_budget: limits how long publishing may fail.
        marking: writes down what is being scored while a partition is on trial; None: nobody asks.
    """

    def __init__(
        self,
        group: Group,
        delivery: Delivery,
        build: Callable[[int], KafkaProducer],
        *,
        reject_oversized: RejectOversized,
        failure_budget: FailureBudget,
        marking: Marking | None = None,
    ) -> None:
        self.marking = marking
        self._group = group
        self._delivery = delivery
        self._build = build
        self._producers = Producers(self._started)
        self._failure_budget = failure_budget
        self.reject_oversized = reject_oversized

    def claim(self) -> None:
        """End what another producer left open under our id; from now on it can publish nothing.

        Raises:
            KafkaError: the broker does not answer.
        """
        self._producers.get()

    def take_over(self) -> None:
        """End what a crash left open under our id, before the group is joined: until then its offsets are hidden.

        Without an answer the first publication does it, or the broker, some seconds later.
        """
        try:
            self.claim()
        except KafkaError as error:
            log.warning("not_taken_over", step=self._delivery.step, error=type(error).__name__, cause=str(error))

    def end_left_open(self) -> None:
        """Let a new producer end what was left open under our id, for it hides the group's positions."""
        if not self._delivery.is_confirming:
            self._producers.drop()
            self.take_over()

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one bounded attempt; see `pipeline.ports.Sink`.

        Raises:
            FencedError: another process uses our transactional id or instance id.
            StoppedError: publishing can never succeed.
        """
        if self._failure_budget.is_backing_off:
            return Published(committed=[], retry=spans)
        identity = self._group.settled()  # INVARIANT: read before it is checked what we own
        if identity is None:
            return Published(committed=[], retry=spans)
        owned = self._group.owned(spans)
        if not owned:
            return Published(committed=[], retry=[])
        try:
            if not self._delivery.may_attempt(owned):
                return Published(committed=[], retry=owned)
            self._delivery.attempt(self._producers.get(), owned, identity)
        except KafkaError as error:
            self._give_up(error)
            return Published(committed=[], retry=owned)
        self._failure_budget.succeeded()
        self._group.note_committed(owned)
        return Published(committed=owned, retry=[])

    def close(self) -> None:
        """Release the producer; an open transaction ends by its timeout, or by the next owner of its id."""
        self._producers.close()

    def _started(self) -> KafkaProducer:
        timeout_factor = self._failure_budget.timeout_factor
        self._delivery.step = "connect"
        producer = self._build(timeout_factor)
        try:
            self._delivery.start(producer, timeout_factor)
        except BaseException:
            try_to_close(producer)
            raise
        return producer

    def _give_up(self, error: KafkaError) -> None:
        """Drop the producer; stop where another attempt would do harm or cannot help."""
        self._producers.drop()
        stop_if_permanent(error)
        self._delivery.failed(error)
        self._failure_budget.failed(error, self._delivery.step)
