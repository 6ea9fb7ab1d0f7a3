"""Publish the decisions and commit the offsets: both or neither, with a client whose answers cannot be trusted.

The faults of the client (kafka-python 3.0.12) determine the order of the steps here:
- its commit succeeds without records that expired before they were sent: only their futures tell;
- after a lost request `send_offsets_to_transaction` and `commit_transaction` never return, and closing the producer
  does not end them: they run on threads of their own, with a deadline;
- after any failure its state is unknown, and the offsets of a refused commit are sent again in the next one: the
  producer is dropped without an abort, and a new one with the same id ends the old transaction;
- whether a commit without an answer took place is asked of the broker, for each partition.

What failed before its commit began did not take place, and is not asked about where the broker itself refuses whoever
has lost a partition: a broker that has lost the end of the transaction before, of which we know that it is committed,
would never answer, and the end of the next one also ends that, since all have the same id.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from kafka import KafkaProducer
from kafka.errors import InvalidProducerEpochError, KafkaError, KafkaTimeoutError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import fenced
from moderator.stream.kafka.producing.delivery import DEADLINE_S, Group, Send, deliver


class ExactlyOnce:
    """Records and offsets in one transaction. Every producer has the same transactional id.

    Args:
        group: whose offsets are committed.
        send: passes the outcomes to the producer.
        transaction_timeout_s: after this time the broker usually ends a transaction and fences its producer.
        metrics: where settled doubts are counted.
        deadline_s: for each step of an attempt, while the broker is as quick as usual.
        confirm_s: after being fenced, how long to wait for a heartbeat's answer before a new producer starts; 0: the
            id is random, so no other process can have it.
    """

    def __init__(
        self,
        group: Group,
        send: Send,
        *,
        transaction_timeout_s: float,
        metrics: Metrics,
        deadline_s: float = DEADLINE_S,
        confirm_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._send = send
        self._usual_transaction_timeout_s = self._transaction_timeout_s = transaction_timeout_s
        self._doubts_settled = metrics.doubts_settled
        self._usual_deadline_s = self._deadline_s = deadline_s
        self._confirm_s = confirm_s
        self._monotonic_s = monotonic_s
        self._in_doubt = False
        self._confirm_until_s = 0.0
        self._began_s = -float("inf")
        self.step = ""

    def start(self, producer: KafkaProducer, timeout_factor: int) -> None:
        """Initialise transactions; this ends the transaction of the previous producer with this id."""
        self.step = "init_transactions"
        self._transaction_timeout_s = timeout_factor * self._usual_transaction_timeout_s
        self._deadline_s = timeout_factor * self._usual_deadline_s
        producer.init_transactions()

    def may_attempt(self, spans: Sequence[DecidedSpan]) -> bool:
        """Wait, after being fenced, until the group confirms that we are a member; a replacement may have fenced us.

        Raises:
            FencedError: the broker answers, but not to our heartbeats.
        """
        if not self._confirm_until_s:
            return True
        if self._monotonic_s() < self._confirm_until_s:
            return False
        if self._group.heartbeat_ok:
            self._confirm_until_s = 0.0
            return True
        with contextlib.suppress(KafkaError):
            self._group.committed(spans[0].partition, self._deadline_s)
            # The broker is available, but answers no heartbeat: a fenced client stops sending them without an error.
            raise fenced()
        return False

    def attempt(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        """Publish and commit what an earlier attempt has not committed; see `Delivery`."""
        uncommitted = self._settle(spans)
        if uncommitted:
            self._transact(producer, uncommitted, group)

    def failed(self, error: KafkaError) -> None:
        """Note that an attempt failed.

        Raises:
            FencedError: another process uses our transactional id.
        """
        self._in_doubt = self._in_doubt or not self._group.refuses_others
        if _is_fenced(error):
            if self._monotonic_s() - self._began_s < self._transaction_timeout_s:
                raise fenced() from error
            # The broker ended a transaction that took too long, perhaps because this process was stopped meanwhile.
            # Then a replacement may be running, and our new producer would fence it: first the group must confirm us.
            if self._confirm_s:
                self._confirm_until_s = self._monotonic_s() + self._confirm_s

    def _settle(self, spans: list[DecidedSpan]) -> list[DecidedSpan]:
        """Leave out what an attempt without an answer did commit."""
        if not self._in_doubt:
            return spans
        self.step = "ask_committed"
        ask, deadline_s = self._group.committed, self._deadline_s
        # >=: a later owner may have committed more
        uncommitted = [span for span in spans if ask(span.partition, deadline_s) < span.next_offset]
        self._in_doubt = False
        self._doubts_settled.labels("not committed").inc(len(uncommitted))
        self._doubts_settled.labels("committed").inc(len(spans) - len(uncommitted))
        return uncommitted

    def _transact(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self._began_s = self._monotonic_s()
        self.step = "deliver"
        producer.begin_transaction()
        deliver(producer, self._send(producer, spans), self._deadline_s)
        self.step = "send_offsets"
        self._call_with_deadline(producer.send_offsets_to_transaction, self._group.next_offsets(spans), group)
        self.step = "commit"
        self._in_doubt = True
        self._call_with_deadline(producer.commit_transaction)
        self._in_doubt = False

    def _call_with_deadline(self, call: Callable[..., None], *arguments: object) -> None:
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
            raise KafkaTimeoutError(f"no answer within {self._deadline_s:g} s")
        if answers[0] is not None:
            raise answers[0]


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)
