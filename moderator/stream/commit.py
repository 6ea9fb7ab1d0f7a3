"""Publish what was decided and commit what was consumed: both or neither, against a client that may lie.

What the client (kafka-python 3.0.12) gets wrong decides the order here:
- its commit succeeds without records that expired on the way: only their futures tell;
- a lost request leaves `send_offsets_to_transaction` and `commit_transaction` waiting for ever, and closing the
  producer does not wake them: they run on threads of their own, under a deadline;
- after any failure its state is a guess, and offsets of a refused commit come back in the next one: the producer is
  dropped, without an abort, and a new one under the same id ends the old transaction;
- whether a commit without an answer took place is asked of the broker, per partition.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from kafka import KafkaProducer, TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.errors import StoppedError, TwinError
from moderator.events import DecidedSpan, Published
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.stream.membership import Membership

log = get_logger(__name__)

DEADLINE_S = 3.0
"""How long one step of a publication may take; the client delivers records, or gives them up, within it."""
_HOPELESS = (MessageSizeTooLargeError, RecordListTooLargeError, TopicAuthorizationFailedError)

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


class Producers:
    """One producer at a time, built when it is needed and dropped after any failure.

    Args:
        build: makes a producer, or raises KafkaError.
        left_limit: how many may refuse to close before the process is better started anew.
    """

    def __init__(self, build: Callable[[], KafkaProducer], left_limit: int = 20) -> None:
        self._build = build
        self._left_limit = left_limit
        self._left: list[KafkaProducer] = []
        self._current: KafkaProducer | None = None

    def get(self) -> KafkaProducer:
        """Give the current one.

        Raises:
            KafkaError: the broker does not answer.
            StoppedError: too many would not close.
        """
        if self._current is None:
            self._left = [old for old in self._left if not _closes(old)]
            if len(self._left) >= self._left_limit:
                raise StoppedError(f"{len(self._left)} producers hang and cannot be closed: start `moderator` again")
            self._current = self._build()
        return self._current

    def drop(self) -> None:
        """Never use the current one again."""
        if self._current is not None:
            self._left.append(self._current)
            self._current = None

    def close(self) -> None:
        """Close what can be closed."""
        self.drop()
        for old in self._left:
            _closes(old)


class Patience:
    """How long publishing may fail while Kafka answers; while it does not, for ever."""

    def __init__(self, membership: Membership, metrics: Metrics, limit_s: float = 60.0) -> None:
        self._membership = membership
        self._failures = metrics.publish_failures
        self._limit_s = limit_s
        self._failing_since_s: float | None = None

    def reward(self) -> None:
        """Something was published."""
        self._failing_since_s = None

    def strain(self, error: Exception) -> None:
        """Nothing was.

        Raises:
            StoppedError: nothing has been for the whole limit, although Kafka answers.
        """
        self._failures.labels(type(error).__name__).inc()
        now_s = time.monotonic()
        is_away = not self._membership.answers
        if is_away or self._failing_since_s is None:
            self._failing_since_s = now_s
        log.warning("publish_failed", error=type(error).__name__, cause=str(error), broker_is_away=is_away)
        if now_s - self._failing_since_s > self._limit_s:
            raise StoppedError(
                f"publishing has failed for {self._limit_s:.0f} s although Kafka answers, at last with `{error}`: "
                "nothing was committed; see to the brokers and start again"
            )


class ExactlyOnce:
    """Records and offsets in one transaction.

    Args:
        membership: whose offsets are committed.
        build: makes a transactional producer that is not initialised, always under the same id.
        send: hands the outcomes to the producer.
        transaction_timeout_s: after which the broker itself ends a transaction and fences its producer.
        patience: bounds failing.
        metrics: where settled doubts are counted.
        deadline_s: for each step of an attempt.
        confirm_s: how long to listen for the group before a new start, when another may have taken our id; 0: none can.
    """

    def __init__(
        self,
        membership: Membership,
        build: Callable[[], KafkaProducer],
        send: Send,
        *,
        transaction_timeout_s: float,
        patience: Patience,
        metrics: Metrics,
        deadline_s: float = DEADLINE_S,
        confirm_s: float,
    ) -> None:
        self._membership = membership
        self._send = send
        self._producers = Producers(lambda: self._initialised(build()))
        self._transaction_timeout_s = transaction_timeout_s
        self._patience = patience
        self._doubts_settled = metrics.doubts_settled
        self._deadline_s = deadline_s
        self._confirm_s = confirm_s
        self._in_doubt = False
        self._confirm_until_s = 0.0
        self._began_s = -float("inf")

    def take_over(self) -> None:
        """End what a crash left open under our id, before the group is joined: until then its offsets are hidden.

        Without an answer the first publication does it, or the broker, some seconds later.
        """
        try:
            self._producers.get()
        except KafkaError as error:
            log.warning("not_taken_over", error=type(error).__name__, cause=str(error))

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one attempt; see `Commit`.

        Raises:
            TwinError: another process uses our transactional id or instance id.
            StoppedError: it can never succeed.
        """
        group = self._membership.settled()  # INVARIANT: taken before the look at what we own
        if group is None:
            return Published(committed=[], left=spans)
        spans = self._membership.owned(spans)
        if not spans:
            return Published(committed=[], left=[])
        if not self._is_confirmed(spans):
            return Published(committed=[], left=spans)
        try:
            producer = self._producers.get()
            unsettled = self._settle(spans)
            if unsettled:
                self._transact(producer, unsettled, group)
        except KafkaError as error:
            self._give_up(error)
            return Published(committed=[], left=spans)
        self._patience.reward()
        self._membership.in_flight.committed(spans)
        return Published(committed=spans, left=[])

    def close(self) -> None:
        """Release the producer; an open transaction ends by its timeout, or by the next owner of its id."""
        self._producers.close()

    def _initialised(self, producer: KafkaProducer) -> KafkaProducer:
        try:
            producer.init_transactions()  # ends the transaction of whoever had the id before
        except BaseException:
            _closes(producer)
            raise
        return producer

    def _settle(self, spans: list[DecidedSpan]) -> list[DecidedSpan]:
        """Leave out what an attempt without an answer has committed after all."""
        if not self._in_doubt:
            return spans
        # >=: a later owner may have moved on
        unsettled = [
            span for span in spans if self._membership.committed(span.partition, self._deadline_s) < span.next_offset
        ]
        self._in_doubt = False
        self._doubts_settled.labels("not committed").inc(len(unsettled))
        self._doubts_settled.labels("committed").inc(len(spans) - len(unsettled))
        return unsettled

    def _transact(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self._began_s = time.monotonic()
        producer.begin_transaction()
        deliver(producer, self._send(producer, spans), self._deadline_s)
        self._bounded(producer.send_offsets_to_transaction, next_offsets(spans), group)
        self._bounded(producer.commit_transaction)

    def _bounded(self, call: Callable[..., None], *arguments: object) -> None:
        answers: list[BaseException | None] = []

        def run() -> None:
            try:
                call(*arguments)
            except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
                answers.append(error)
            else:
                answers.append(None)

        thread = threading.Thread(target=run, name=call.__name__, daemon=True)
        thread.start()
        thread.join(self._deadline_s)
        if not answers:
            raise KafkaTimeoutError(f"{call.__name__} gave no answer within {self._deadline_s:g} s")
        if answers[0] is not None:
            raise answers[0]

    def _give_up(self, error: KafkaError) -> None:
        """Drop the producer and doubt the attempt; stop where another would do harm or could not help."""
        self._producers.drop()
        self._in_doubt = True
        if isinstance(error, FencedInstanceIdError):
            raise _twin() from error
        if _is_fenced(error):
            if time.monotonic() - self._began_s < self._transaction_timeout_s:
                raise _twin() from error
            # The broker ended a transaction that took too long, perhaps because this process was stopped meanwhile.
            # Then a replacement may be at work, and a new start would fence it: first hear that the group has us.
            if self._confirm_s:
                self._confirm_until_s = time.monotonic() + self._confirm_s
        if isinstance(error, _HOPELESS):
            raise _hopeless(error) from error
        self._patience.strain(error)

    def _is_confirmed(self, spans: list[DecidedSpan]) -> bool:
        if not self._confirm_until_s:
            return True
        if time.monotonic() < self._confirm_until_s:
            return False
        if self._membership.is_heard:
            self._confirm_until_s = 0.0
            return True
        with contextlib.suppress(KafkaError):
            self._membership.committed(spans[0].partition, self._deadline_s)
            # The broker is there, yet no heartbeat passes: a fenced client stops them without a word.
            raise _twin()
        return False


class AtLeastOnce:
    """Records first, offsets when all have arrived: duplicates possible, losses never."""

    def __init__(
        self,
        membership: Membership,
        build: Callable[[], KafkaProducer],
        send: Send,
        *,
        patience: Patience,
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
            TwinError: another process uses our instance id.
            StoppedError: it can never succeed.
        """
        if self._membership.settled() is None:
            return Published(committed=[], left=spans)
        spans = self._membership.owned(spans)
        if not spans:
            return Published(committed=[], left=[])
        try:
            producer = self._producers.get()
            deliver(producer, self._send(producer, spans), self._deadline_s)
            self._membership.consumer.commit(next_offsets(spans), timeout_ms=self._deadline_s * 1_000)
        except KafkaError as error:
            self._give_up(error)
            return Published(committed=[], left=spans)
        self._patience.reward()
        self._membership.in_flight.committed(spans)
        return Published(committed=spans, left=[])

    def close(self) -> None:
        """Release the producer."""
        self._producers.close()

    def _give_up(self, error: KafkaError) -> None:
        self._producers.drop()
        if isinstance(error, FencedInstanceIdError):
            raise _twin() from error
        if isinstance(error, _HOPELESS):
            raise _hopeless(error) from error
        self._patience.strain(error)


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


def _closes(producer: KafkaProducer) -> bool:
    """Try to close; false while records are in flight, which expire by themselves."""
    with contextlib.suppress(KafkaError):
        producer.close(0)
        return True
    return False


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)


def _twin() -> TwinError:
    return TwinError(
        "another process uses our instance id: give every replica its own `MODERATOR_KAFKA__INSTANCE_ID`, or none"
    )


def _hopeless(error: KafkaError) -> StoppedError:
    return StoppedError(f"Kafka will never take what was decided: `{error}`; nothing was committed")
