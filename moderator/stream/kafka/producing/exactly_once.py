"""Publish the decisions and commit the offsets: both or neither, with a client whose answers cannot be trusted.

The faults of the client (kafka-python 3.0.12) determine the order of the steps here:
- its commit succeeds without records that expired before they were sent: only their futures tell;
- after a lost request `send_offsets_to_transaction` and `commit_transaction` never return, and closing the producer
  does not end them: what they do is begun and waited for apart, with a deadline, see `transaction.py`;
- after any failure its state is unknown, and the offsets of a refused commit are sent again in the next one: the
  producer is dropped without an abort, sends nothing more, and a new one with the same id ends the old transaction;
- whether a commit without an answer took place is asked of the broker, for each partition.

What failed before its commit began did not take place, and is not asked about where the broker itself refuses whoever
has lost a partition: a broker that has lost the end of the transaction before, of which we know that it is committed,
would never answer, and the end of the next one also ends that, since all have the same id.

Such an end may be lost for some partitions only: a broker (Kafka 4.3.1) that was killed while it wrote the ends of a
commit, and is back, leaves out partitions that have no leader yet. Their records then wait for the next end there, and
an abort would undo them. So the first transaction after a failure has no records: its commit ends the one before it in
all partitions of that, and nothing in it waits for what a broker that has just started is slow at.
"""

import contextlib
import time
from collections.abc import Callable, Sequence

from kafka import KafkaProducer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import fenced
from moderator.stream.kafka.producing.delivery import DEADLINE_S, Group, Send, deliver
from moderator.stream.kafka.producing.sender import partition_count
from moderator.stream.kafka.producing.transaction import (
    add_partitions,
    await_answer,
    begin_commit,
    begin_offsets,
    partitions_of,
    require_leaders,
)


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
        self._committed: frozenset[TopicPartition] = frozenset()
        self._perhaps_open: frozenset[TopicPartition] = frozenset()
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
            self._end_left_open(producer)
            self._transact(producer, uncommitted, group)

    def failed(self, error: KafkaError) -> None:
        """Note that an attempt failed.

        Raises:
            FencedError: another process uses our transactional id.
        """
        self._in_doubt = self._in_doubt or not self._group.refuses_others
        self._perhaps_open |= self._committed
        self._committed = frozenset()
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

    def _end_left_open(self, producer: KafkaProducer) -> None:
        """End the commit before a failure wherever the broker may have left that out.

        Raises:
            KafkaError: a topic is missing, a partition has no leader and would be left out again, or no answer.
        """
        if not self._perhaps_open:
            return
        self.step = "end_left_open"
        counts = {topic: partition_count(producer, topic) for topic in {each.topic for each in self._perhaps_open}}
        partitions = [each for each in self._perhaps_open if each.partition < counts[each.topic]]
        require_leaders(producer, partitions)
        producer.begin_transaction()
        add_partitions(producer, partitions)
        await_answer(begin_commit(producer), self._deadline_s)
        self._perhaps_open = frozenset()

    def _transact(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self._began_s = self._monotonic_s()
        self.step = "deliver"
        producer.begin_transaction()
        offsets = begin_offsets(producer, self._group.next_offsets(spans), group)
        try:
            deliver(producer, self._send(producer, spans), self._deadline_s)
        except KafkaError as error:
            if offsets.exception is None:
                raise
            # where the positions were refused, the client refuses the records too, and names the reason in a text only
            self.step = "send_offsets"
            raise offsets.exception from error
        self.step = "send_offsets"
        await_answer(offsets, self._deadline_s)
        self.step = "commit"
        self._in_doubt = True
        self._committed = partitions_of(producer)  # before the answer: without one, it may have taken place
        await_answer(begin_commit(producer), self._deadline_s)
        self._in_doubt = False


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)
