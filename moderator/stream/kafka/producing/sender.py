"""Passes decisions and dead letters to a producer: topic, partition, headers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaTimeoutError

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Record, iso_time
from moderator.settings import KafkaSettings
from moderator.stream.kafka.producing.dead_letters import Headers, dead_letter_record, size_bytes
from moderator.stream.kafka.producing.partitioning import Partitioner
from moderator.stream.kafka.producing.transaction import add_partitions, append
from moderator.stream.slices import in_slices

_VERDICT = "verdict"
_TRACEPARENT = "traceparent"
_TRACEPARENT_LIMIT_BYTES = 512
SENT_AT_A_TIME = 32
"""Outcomes between two calls of `give_way`: about two milliseconds."""

Mark = Callable[[Record], Headers]
"""Give what is written beside the usual headers of an outcome, for the record that it is about."""


class NoSuchTopicError(KafkaTimeoutError):  # type: ignore[misc]  # the client ships no types
    """The brokers name no partitions of a topic that we write."""


class OutcomeSender:
    """Passes outcomes to a producer: one record each, in the order given.

    Args:
        settings: the topics, and the group that signs the decisions.
        limits_bytes: the largest record that each output topic accepts.
        now_s: seconds since the epoch.
        source: who signs the decisions; None: the group.
        mark: for decisions and dead letters that are not of live traffic; None: they are.
        give_way: lets threads that are in a hurry go first, for some milliseconds at most.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        limits_bytes: Mapping[str, int],
        now_s: Callable[[], float],
        *,
        source: str | None = None,
        mark: Mark | None = None,
        give_way: Callable[[], object] = lambda: None,
    ) -> None:
        self._topics = {"flag": settings.flag_topic, "allow": settings.allow_topic}
        self._dead_letter_topic = settings.dead_letter_topic
        self.limits_bytes = limits_bytes
        self._now_s = now_s
        self._mark = mark
        self._give_way = give_way
        self._partitioner = Partitioner({})
        self._constant_headers: Headers = [
            ("ce_specversion", b"1.0"),
            ("ce_source", (source or f"/moderator/{settings.group_id}").encode()),
            ("ce_type", b"moderator.decision.v1"),
            ("content-type", b"application/json"),
        ]

    def __call__(self, producer: KafkaProducer, spans: Sequence[DecidedSpan]) -> list[Any]:
        """Send every outcome; give the futures.

        Raises:
            KafkaError: a topic is missing, or the client refuses a record.
        """
        topics = {*self._topics.values(), self._dead_letter_topic}
        self._partitioner.counts = {topic: partition_count(producer, topic) for topic in topics}
        items = [item for span in spans for item in span.items]
        # a dead letter's partition is not known yet: the client adds it
        add_partitions(
            producer, {self._place(record, made) for record, made in items if isinstance(made, EncodedDecision)}
        )
        return [self._send(producer, *item) for item in in_slices(items, SENT_AT_A_TIME, self._give_way)]

    def reject_oversized(self, record: Record, decision: EncodedDecision) -> DeadLetter | None:
        """Give a dead letter for a decision that is larger than its topic accepts."""
        topic = self._topics[decision.verdict]
        limit_bytes = self.limits_bytes[topic]
        # ids are 256 characters at most, so only key and value can be large
        if len(decision.value) + len(record.key or b"") <= limit_bytes // 2:
            return None
        needed_bytes = size_bytes(record.key, decision.value, self._headers(record, decision))
        if needed_bytes <= limit_bytes:
            return None
        return DeadLetter("too_large", f"its decision has {needed_bytes} bytes, topic `{topic}` takes {limit_bytes}")

    def _send(self, producer: KafkaProducer, record: Record, outcome: EncodedDecision | DeadLetter) -> Any:
        if isinstance(outcome, DeadLetter):
            return self._send_dead_letter(producer, record, outcome)
        return append(producer, self._place(record, outcome), outcome.value, record.key, self._headers(record, outcome))

    def _place(self, record: Record, decision: EncodedDecision) -> TopicPartition:
        topic = self._topics[decision.verdict]
        return TopicPartition(topic, self._partitioner.partition(topic, record.key, record.partition))

    def _send_dead_letter(self, producer: KafkaProducer, record: Record, letter: DeadLetter) -> Any:
        topic = self._dead_letter_topic
        at, limit_bytes = iso_time(self._now_s()), self.limits_bytes[topic]
        if self._mark:  # a recorded decision has a verdict, but its dead letter has none
            kept = [header for header in record.headers if header[0] != _VERDICT]
            record = record._replace(headers=[*kept, *self._mark(record)])
        key, value, headers = dead_letter_record(record, letter, at, limit_bytes)
        partition = self._partitioner.partition(topic, key, record.partition)
        return producer.send(topic, value, key, headers, partition)

    def _headers(self, record: Record, decision: EncodedDecision) -> Headers:
        headers = [
            *self._constant_headers,
            ("ce_id", decision.decision_id.encode()),
            ("ce_time", decision.decided_at.encode()),
            ("ce_subject", decision.event_id.encode()),
            (_VERDICT, decision.verdict.encode()),
        ]
        if decision.severity:
            headers.append(("severity", decision.severity.encode()))
        if decision.action:
            headers.append(("action", decision.action.encode()))
        if decision.queues:
            headers.append(("queues", ",".join(decision.queues).encode()))
        if record.headers and (traceparent := _traceparent(record)):
            headers.append((_TRACEPARENT, traceparent))
        return [*headers, *self._mark(record)] if self._mark else headers


def partition_count(producer: KafkaProducer, topic: str) -> int:
    """Ask how many partitions a topic has.

    Raises:
        NoSuchTopicError: the brokers name none.
    """
    try:
        return len(producer.partitions_for(topic))
    except KafkaTimeoutError as error:  # it names no topic; a deleted topic causes it too
        raise NoSuchTopicError(
            f"no partitions of topic `{topic}`: {error}; if it was deleted, `moderator topics create` creates it again"
        ) from error


def _traceparent(record: Record) -> bytes | None:
    found = next((content for name, content in record.headers if name == _TRACEPARENT), None)
    return found if found and len(found) <= _TRACEPARENT_LIMIT_BYTES else None
