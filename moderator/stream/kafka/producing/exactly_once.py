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

A broker (Kafka 4.3.1) leaves out the end of a transaction, a commit's or an abort's, in each partition that has no
leader at that moment, and calls the transaction ended. The records there wait for the next end in that partition,
whatever it is: an abort undoes what was committed, a commit publishes what was aborted. So no transaction begins while
a partition that we write has no leader, and the first producer of a process, which aborts what another left open, does
not start then either. And before a later producer writes the first record, transactions without records end what may
be open: by an abort where records of a failed attempt have arrived, by a commit everywhere else.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan, Partition
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import fenced
from moderator.stream.kafka.producing.delivery import DEADLINE_S, Group, Send, deliver
from moderator.stream.kafka.producing.sender import partition_count
from moderator.stream.kafka.producing.transaction import (
    await_answer,
    begin_adding,
    begin_end,
    begin_offsets,
    require_leaders,
)


class ExactlyOnce:
    """Records and offsets in one transaction. Every producer has the same transactional id.

    Args:
        group: whose offsets are committed.
        send: passes the outcomes to the producer.
        topics: all that it may write.
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
        topics: Collection[str],
        transaction_timeout_s: float,
        metrics: Metrics,
        deadline_s: float = DEADLINE_S,
        confirm_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._send = send
        self._topics = topics
        self._usual_transaction_timeout_s = self._transaction_timeout_s = transaction_timeout_s
        self._doubts_settled = metrics.doubts_settled
        self._usual_deadline_s = self._deadline_s = deadline_s
        self._confirm_s = confirm_s
        self._monotonic_s = monotonic_s
        self._in_doubt = False
        self._attempted: dict[Partition, int] = {}
        self._is_first = True
        self._perhaps_open = True
        self._sent: list[Any] = []
        self._arrived: set[TopicPartition] = set()
        self._confirm_until_s = 0.0
        self._began_s = -float("inf")
        self.step = ""

    def start(self, producer: KafkaProducer, timeout_factor: int) -> None:
        """End the transaction of the previous producer with this id; by an abort, unless its commit had begun."""
        self._transaction_timeout_s = timeout_factor * self._usual_transaction_timeout_s
        self._deadline_s = timeout_factor * self._usual_deadline_s
        if self._is_first:
            self.step = "await_leaders"
            require_leaders(producer, self._partitions(producer))
        self.step = "init_transactions"
        producer.init_transactions()
        self._is_first = False
        self._perhaps_open = True

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
            if self._perhaps_open:
                self._end_left_open(producer)
            self._transact(producer, uncommitted, group)

    def failed(self, error: KafkaError) -> None:
        """Note that an attempt failed.

        Raises:
            FencedError: another process uses our transactional id.
        """
        self._in_doubt = self._in_doubt or not self._group.refuses_others
        arrived = (each.value for each in self._sent if each.succeeded())
        self._arrived |= {TopicPartition(each.topic, each.partition) for each in arrived}
        self._sent = []
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
        partitions = {*self._attempted, *(span.partition for span in spans)}
        committed = {partition: ask(partition, deadline_s) for partition in partitions}
        # >=: a later owner may have committed more
        uncommitted = [span for span in spans if committed[span.partition] < span.next_offset]
        if all(committed[partition] >= offset for partition, offset in self._attempted.items()):
            self._arrived.clear()
        self._in_doubt = False
        self._doubts_settled.labels("not committed").inc(len(uncommitted))
        self._doubts_settled.labels("committed").inc(len(spans) - len(uncommitted))
        return uncommitted

    def _end_left_open(self, producer: KafkaProducer) -> None:
        """End everywhere what transactions before this producer may have left open.

        Raises:
            KafkaError: a topic is missing, a partition has no leader and would be left out again, or no answer.
        """
        self.step = "end_left_open"
        partitions = self._partitions(producer)
        require_leaders(producer, partitions)
        self._began_s = self._monotonic_s()
        self._end(producer, self._arrived.intersection(partitions), commits=False)
        self._end(producer, set(partitions) - self._arrived, commits=True)
        self._arrived.clear()
        self._perhaps_open = False

    def _end(self, producer: KafkaProducer, partitions: Collection[TopicPartition], *, commits: bool) -> None:
        if partitions:
            producer.begin_transaction()
            await_answer(begin_adding(producer, partitions), self._left_s)
            await_answer(begin_end(producer, commits=commits), self._left_s)

    @property
    def _left_s(self) -> float:
        """How much of the deadline of the step that began last is left."""
        return max(0.0, self._began_s + self._deadline_s - self._monotonic_s())

    def _partitions(self, producer: KafkaProducer) -> list[TopicPartition]:
        return [TopicPartition(topic, n) for topic in self._topics for n in range(partition_count(producer, topic))]

    def _transact(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self.step = "deliver"
        require_leaders(producer, self._partitions(producer))
        self._began_s = self._monotonic_s()
        self._attempted = {span.partition: span.next_offset for span in spans}
        producer.begin_transaction()
        offsets = begin_offsets(producer, self._group.next_offsets(spans), group)
        try:
            self._sent = self._send(producer, spans)
            deliver(producer, self._sent, self._deadline_s)
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
        await_answer(begin_end(producer, commits=True), self._deadline_s)
        self._in_doubt = False
        self._sent = []


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)
