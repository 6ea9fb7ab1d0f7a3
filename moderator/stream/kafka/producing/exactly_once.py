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
from collections.abc import Callable

from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, KafkaTimeoutError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan, Published
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.commit import DEADLINE_S, Send, deliver, next_offsets, stop_if_hopeless, twin
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.producers import Producers, try_to_close

log = get_logger(__name__)


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
        confirm_s: after being fenced, wait so long for an answered heartbeat before a new producer starts; 0: the id is
            random, nobody else can have it.
    """

    def __init__(
        self,
        membership: Membership,
        build: Callable[[], KafkaProducer],
        send: Send,
        *,
        transaction_timeout_s: float,
        patience: FailureBudget,
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
            FencedError: another process uses our transactional id or instance id.
            StoppedError: it can never succeed.
        """
        if self._patience.is_resting:
            return Published(committed=[], retry=spans)
        group = self._membership.settled()  # INVARIANT: taken before the look at what we own
        if group is None:
            return Published(committed=[], retry=spans)
        spans = self._membership.owned(spans)
        if not spans:
            return Published(committed=[], retry=[])
        if not self._await_confirmation(spans):
            return Published(committed=[], retry=spans)
        try:
            producer = self._producers.get()
            unsettled = self._settle(spans)
            if unsettled:
                self._transact(producer, unsettled, group)
        except KafkaError as error:
            self._give_up(error)
            return Published(committed=[], retry=spans)
        self._patience.reward()
        self._membership.in_flight.committed(spans)
        return Published(committed=spans, retry=[])

    def close(self) -> None:
        """Release the producer; an open transaction ends by its timeout, or by the next owner of its id."""
        self._producers.close()

    def _initialised(self, producer: KafkaProducer) -> KafkaProducer:
        try:
            producer.init_transactions()  # ends the transaction of whoever had the id before
        except BaseException:
            try_to_close(producer)
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
        stop_if_hopeless(error)
        if _is_fenced(error):
            if time.monotonic() - self._began_s < self._transaction_timeout_s:
                raise twin() from error
            # The broker ended a transaction that took too long, perhaps because this process was stopped meanwhile.
            # Then a replacement may be at work, and a new start would fence it: first hear that the group has us.
            if self._confirm_s:
                self._confirm_until_s = time.monotonic() + self._confirm_s
        self._patience.strain(error)

    def _await_confirmation(self, spans: list[DecidedSpan]) -> bool:
        """Hear that the group still has us, after a fencing that may have been a replacement's; false: not yet.

        Raises:
            FencedError: the broker answers, and yet the group does not hear us.
        """
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
            raise twin()
        return False


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)
