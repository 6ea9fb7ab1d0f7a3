"""Publish the decisions and commit the offsets: both or neither, with a client whose answers cannot be trusted.

The faults of the client (kafka-python 3.0.12) determine the order of the steps here:
- its commit succeeds without records that expired before they were sent: only their futures tell;
- after a lost request `send_offsets_to_transaction` and `commit_transaction` never return, and closing the producer
  does not end them: what they do is begun and waited for apart, with a deadline, see `transaction.py`;
- after any failure its state is unknown, and the offsets of a refused commit are sent again in the next one: the
  producer is dropped without an abort, sends nothing more, and a new one with the same id ends the old transaction;
- whether a commit without an answer took place is asked of the broker, for each partition.

What failed before its commit began did not take place, and is not asked about where the broker itself refuses whoever
has lost a partition.

A broker (Kafka 4.3.1) leaves out the end of a transaction, a commit's or an abort's, in each partition that has no
leader at that moment, and calls the transaction ended: in those that we write, and in the one that holds the group's
positions, which it then hides. What is there waits for the next end in that partition, whatever it is: an abort undoes
what was committed, a commit publishes what was aborted. So while a partition that we write has no leader, no
transaction begins, and no producer starts, which would abort what is open and let the broker forget how it ended. And
each producer begins with transactions without records that end what may be open: by an abort where something of an
uncommitted attempt may have arrived, by a commit everywhere else.
"""

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from kafka import KafkaProducer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError, UnstableOffsetCommitError
from kafka.structs import ConsumerGroupMetadata

from moderator.events import DecidedSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.membership import fenced
from moderator.stream.kafka.producing.delivery import DEADLINE_S, Group, Send, deliver
from moderator.stream.kafka.producing.last_end import LastEnd
from moderator.stream.kafka.producing.sender import partition_count
from moderator.stream.kafka.producing.transaction import (
    await_answer,
    begin_adding,
    begin_end,
    begin_offsets,
    partitions_of,
    require_leaders,
)

_POSITIONS: Final = TopicPartition("__consumer_offsets", -1)
"""Stands for the partition that holds the group's positions, whichever it is."""


class ExactlyOnce:
    """Records and offsets in one transaction. Every producer has the same transactional id.

    Args:
        group: whose offsets are committed.
        send: passes the outcomes to the producer.
        topics: all that it may write.
        ask_last_end: gives how the last transaction ended, see `last_end`.
        group_id: the group's name.
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
        ask_last_end: Callable[[], LastEnd],
        group_id: str,
        transaction_timeout_s: float,
        metrics: Metrics,
        deadline_s: float = DEADLINE_S,
        confirm_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._send = send
        self._topics = topics
        self._ask_last_end = ask_last_end
        self._group_id = group_id
        self._usual_transaction_timeout_s = self._transaction_timeout_s = transaction_timeout_s
        self._doubts_settled = metrics.doubts_settled
        self._usual_deadline_s = self._deadline_s = deadline_s
        self._confirm_s = confirm_s
        self._monotonic_s = monotonic_s
        self._in_doubt = False
        self._is_first = True
        self._undone: set[TopicPartition] = set()
        self._confirm_until_s = 0.0
        self._began_s = -float("inf")
        self.step = ""

    def start(self, producer: KafkaProducer, timeout_factor: int) -> None:
        """End the transaction of the previous producer with this id; by an abort, unless its commit had begun.

        Raises:
            KafkaError: a topic is missing, a partition has no leader and would be left out, or no answer.
        """
        self._transaction_timeout_s = timeout_factor * self._usual_transaction_timeout_s
        self._deadline_s = timeout_factor * self._usual_deadline_s
        self.step = "ask_last_end"
        last_end = self._ask_last_end()
        places = {*self._partitions(producer), _POSITIONS}
        if last_end.is_commit:
            self._undone.clear()
        elif self._is_first:
            self._undone = {_POSITIONS, *(places if last_end.partitions is None else last_end.partitions)}
        self._require_leaders(producer)  # until then the broker remembers how it ended, also for the next process
        self.step = "init_transactions"
        producer.init_transactions()
        self._is_first = False
        self._end_left_open(producer, places)

    @property
    def is_confirming(self) -> bool:
        """See `Delivery`."""
        return self._confirm_until_s > 0

    def may_attempt(self, spans: Sequence[DecidedSpan]) -> bool:
        """Wait, after being fenced, until the group confirms that we are a member; a replacement may have fenced us.

        Raises:
            FencedError: the broker answers, but not to our heartbeats.
            KafkaError: it does not answer.
        """
        if not self.is_confirming:
            return True
        if self._monotonic_s() < self._confirm_until_s:
            return False
        if self._group.heartbeat_ok:
            self._confirm_until_s = 0.0
            return True
        self.step = "confirm_membership"
        with contextlib.suppress(UnstableOffsetCommitError):  # an answer too
            self._group.committed(spans[0].partition, self._deadline_s)
        # The broker is available, but answers no heartbeat: a fenced client stops sending them without an error.
        raise fenced()

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
        committed = {span.partition: ask(span.partition, deadline_s) for span in spans}
        # >=: a later owner may have committed more
        uncommitted = [span for span in spans if committed[span.partition] < span.next_offset]
        self._in_doubt = False
        self._doubts_settled.labels("not committed").inc(len(uncommitted))
        self._doubts_settled.labels("committed").inc(len(spans) - len(uncommitted))
        return uncommitted

    def _end_left_open(self, producer: KafkaProducer, places: set[TopicPartition]) -> None:
        """End everywhere what transactions before this producer may have left open."""
        self._require_leaders(producer)
        self.step = "end_left_open"
        self._began_s = self._monotonic_s()
        self._end(producer, self._undone & places, commits=False)
        self._end(producer, places - self._undone, commits=True)
        self._undone.clear()

    def _end(self, producer: KafkaProducer, places: Collection[TopicPartition], *, commits: bool) -> None:
        if not places:
            return
        producer.begin_transaction()
        if partitions := [place for place in places if place != _POSITIONS]:
            await_answer(begin_adding(producer, partitions), self._left_s)
        if _POSITIONS in places:
            await_answer(begin_offsets(producer, {}, ConsumerGroupMetadata(self._group_id)), self._left_s)
        await_answer(begin_end(producer, commits=commits), self._left_s)

    @property
    def _left_s(self) -> float:
        """How much of the deadline of the step that began last is left."""
        return max(0.0, self._began_s + self._deadline_s - self._monotonic_s())

    def _require_leaders(self, producer: KafkaProducer) -> None:
        self.step = "await_leaders"
        require_leaders(producer, self._partitions(producer))

    def _partitions(self, producer: KafkaProducer) -> list[TopicPartition]:
        return [TopicPartition(topic, n) for topic in self._topics for n in range(partition_count(producer, topic))]

    def _transact(self, producer: KafkaProducer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self._require_leaders(producer)
        self.step = "deliver"
        self._began_s = self._monotonic_s()
        producer.begin_transaction()
        try:
            self._deliver(producer, spans, begin_offsets(producer, self._group.next_offsets(spans), group))
            self.step = "commit"
            self._in_doubt = True
            await_answer(begin_end(producer, commits=True), self._deadline_s)
        except KafkaError:
            # whatever was sent may have arrived, also without an answer
            self._undone |= {*partitions_of(producer), _POSITIONS}
            raise
        self._in_doubt = False

    def _deliver(self, producer: KafkaProducer, spans: list[DecidedSpan], offsets: Any) -> None:
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


def _is_fenced(error: KafkaError) -> bool:
    # later calls raise a bare KafkaError with the cause in its text only
    return isinstance(error, InvalidProducerEpochError | ProducerFencedError) or "ProducerFenced" in repr(error)
