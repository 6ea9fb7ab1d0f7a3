"""What the two ways to publish share: see `exactly_once.py` and `at_least_once.py`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.errors import NotPublishingError, RightLostError
from moderator.events import DecidedSpan, Partition
from moderator.stream.kafka.consuming.membership import fenced

if TYPE_CHECKING:
    from moderator.observability.health import Code

DEADLINE_S = 3.0
"""How long one step of a publication may take; the client delivers records, or gives them up, within it."""
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

Send = Callable[[KafkaProducer, Sequence[DecidedSpan]], list[Any]]
"""Pass every outcome of the spans to the producer; give the futures."""


class Group(Protocol):
    """Whose positions are committed: a membership of the stream's group, or the group of one run over a range.

    Attributes:
        troubles: why nothing is published, for health.
        refuses_others: the broker takes no positions from a process that has lost them to another one.
    """

    troubles: "dict[Code, str]"
    refuses_others: bool

    def settled(self) -> ConsumerGroupMetadata | None:
        """Give our complete identity in the group; None while nothing may be committed."""
        ...

    def owned(self, spans: Sequence[DecidedSpan]) -> list[DecidedSpan]:
        """Keep the spans that are still ours."""
        ...

    def committed(self, partition: Partition, timeout_s: float) -> int:
        """Ask the broker for the committed offset; without one, less than any.

        Raises:
            KafkaError: no answer.
        """
        ...

    def next_offsets(self, spans: Sequence[DecidedSpan]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Give what to commit, by partition."""
        ...

    def note_committed(self, spans: Sequence[DecidedSpan]) -> None:
        """Note that these spans are committed."""
        ...

    @property
    def broker_responding(self) -> bool:
        """The broker has answered a request lately."""
        ...

    @property
    def heartbeat_ok(self) -> bool:
        """The group has confirmed lately that we are a member."""
        ...


class Delivery(Protocol):
    """One way to publish spans and to commit their offsets.

    Attributes:
        step: what is done at present, or was done when it failed, for the log.
    """

    step: str

    @property
    def is_confirming(self) -> bool:
        """After being fenced, the group has not confirmed yet that we are a member.

        Until then no producer may start: it would fence a replacement.
        """
        ...

    def start(self, producer: KafkaProducer, timeout_factor: int) -> None:
        """Prepare a new producer; each step with it may take `timeout_factor` times as long as usual.

        Raises:
            KafkaError: the broker does not answer.
        """
        ...

    def may_attempt(self, spans: Sequence[DecidedSpan]) -> bool:
        """Check whether an attempt may be made now; false: ask again after the next poll.

        Raises:
            FencedError: another process uses our instance id.
            KafkaError: nobody answers whether it may.
        """
        ...

    def attempt(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        """Publish and commit; on return both have happened.

        Args:
            producer: prepared by `start`.
            spans: n >= 1, all of partitions that we own.
            group: our membership, read before it was checked that we own them.

        Raises:
            KafkaError: it failed, or nobody knows whether it did; the producer must not be used again.
        """
        ...

    def failed(self, error: KafkaError) -> None:
        """Note that an attempt failed.

        Raises:
            FencedError: another process uses our transactional id.
        """
        ...


def deliver(producer: KafkaProducer, futures: Sequence[Any], deadline_s: float) -> None:
    """Wait until every record has arrived.

    Raises:
        KafkaError: the first failure; whether the others arrived is not known.
    """
    producer.flush(deadline_s)
    for future in futures:
        if not future.succeeded():
            raise future.exception or KafkaTimeoutError(f"a record was not delivered within {deadline_s:g} s")


def stop_if_permanent(error: KafkaError) -> None:
    """Return where another attempt may succeed.

    Raises:
        FencedError: another process uses our instance id.
        RightLostError, NotPublishingError: Kafka will never accept this.
    """
    if isinstance(error, FencedInstanceIdError):
        raise fenced() from error
    text = f"Kafka will never take what was decided: `{error}`; nothing was committed"
    if isinstance(error, AuthorizationError):
        raise RightLostError(text) from error
    if isinstance(error, _TOO_LARGE):
        raise NotPublishingError(text) from error
