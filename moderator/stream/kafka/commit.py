"""What the two ways to publish share: see `exactly_once.py` and `at_least_once.py`."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from kafka.structs import OffsetAndMetadata

from moderator.errors import FencedError, StoppedError
from moderator.events import DecidedSpan, Published

DEADLINE_S = 3.0
"""How long one step of a publication may take; the client delivers records, or gives them up, within it."""
_HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError, AuthorizationError)

Send = Callable[[KafkaProducer, Sequence[DecidedSpan]], list[Any]]
"""Hand every outcome of the spans to the producer; give the futures."""


class Commit(Protocol):
    """One way to publish."""

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one bounded attempt, as `pipeline.ports.Sink.publish`."""
        ...

    def close(self) -> None:
        """Release the producer; commits nothing."""
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


def next_offsets(spans: Sequence[DecidedSpan]) -> dict[TopicPartition, OffsetAndMetadata]:
    """Give the offset to read next, by partition; where one has several spans, the last one's."""
    return {TopicPartition(*span.partition): OffsetAndMetadata(span.next_offset, "", -1) for span in spans}


def stop_if_hopeless(error: KafkaError) -> None:
    """Let pass what another attempt may mend.

    Raises:
        FencedError: another process uses our instance id.
        StoppedError: Kafka will never take this.
    """
    if isinstance(error, FencedInstanceIdError):
        raise twin() from error
    if isinstance(error, _HOPELESS):
        raise StoppedError(f"Kafka will never take what was decided: `{error}`; nothing was committed") from error


def twin() -> FencedError:
    """Name what happened and the way out."""
    return FencedError(
        "another process uses our instance id: give every replica its own `MODERATOR_KAFKA__INSTANCE_ID`, or none"
    )
