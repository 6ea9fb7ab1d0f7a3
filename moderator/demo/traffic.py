"""Sends sample events and reads the result of each, as any reader of the topics sees it."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Self, cast

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from moderator.demo.samples import Sample
from moderator.errors import BrokerUnavailableError
from moderator.events import DeadLetter, DeadLetterReason, Decision
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import MIN_POLL_MS, client_settings

_SEND_TIMEOUT_S = 30.0


class Place(NamedTuple):
    """Position of an event in the events topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for the event at `place`."""

    place: Place
    result: Decision | DeadLetter


class EventSender:
    """Sends sample events to the events topic, each with its key."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect.

        Raises:
            BrokerUnavailableError: Kafka does not answer.
        """
        self._topic = settings.events_topic
        try:
            self._producer = KafkaProducer(**client_settings(settings))
        except KafkaError as error:
            raise BrokerUnavailableError(f"cannot send to Kafka: {error}") from error

    def send(self, samples: Iterable[Sample]) -> dict[Place, Sample]:
        """Send the samples and wait until Kafka has them; give the place of each one.

        Raises:
            BrokerUnavailableError: Kafka did not accept one of them.
        """
        try:
            waiting = [(sample, self._producer.send(self._topic, sample.value, sample.key)) for sample in samples]
            stored = [(sample, future.get(_SEND_TIMEOUT_S)) for sample, future in waiting]
        except KafkaError as error:
            raise BrokerUnavailableError(f"Kafka did not take an event for `{self._topic}`: {error}") from error
        return {Place(place.partition, place.offset): sample for sample, place in stored}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(KafkaError):  # nothing is left to send
            self._producer.close(timeout=1)


class OutcomeReader:
    """Reads the three output topics from their beginning, committed transactions only."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Connect.

        Raises:
            BrokerUnavailableError: Kafka does not answer.
        """
        self._dead_letter_topic = settings.dead_letter_topic
        topics = (settings.flag_topic, settings.allow_topic, settings.dead_letter_topic)
        try:
            self._consumer = KafkaConsumer(
                **client_settings(settings),
                group_id=None,
                isolation_level="read_committed",
                auto_offset_reset="earliest",
            )
            self._consumer.assign(
                [
                    TopicPartition(topic, number)
                    for topic in topics
                    for number in self._consumer.partitions_for_topic(topic) or ()
                ]
            )
        except KafkaError as error:
            raise BrokerUnavailableError(f"cannot read from Kafka: {error}") from error

    def poll(self, timeout_s: float) -> list[Outcome]:
        """Give the results that have become visible, waiting about `timeout_s` at most for the first.

        Raises:
            BrokerUnavailableError: Kafka does not allow reading.
        """
        try:
            polled = self._consumer.poll(timeout_ms=max(MIN_POLL_MS, int(timeout_s * 1000)))
        except KafkaError as error:
            raise BrokerUnavailableError(f"cannot read from Kafka: {error}") from error
        return [self._outcome(record) for records in polled.values() for record in records]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(KafkaError):  # it commits nothing
            self._consumer.close()

    def _outcome(self, record: "_ConsumedRecord") -> Outcome:
        if record.topic == self._dead_letter_topic:
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            place = Place(int(headers["dlq.partition"]), int(headers["dlq.offset"]))
            reason = cast("DeadLetterReason", headers["dlq.reason"])
            return Outcome(place, DeadLetter(reason, headers["dlq.error"]))
        decision: Decision = orjson.loads(record.value)
        return Outcome(Place(decision["event"]["partition"], decision["event"]["offset"]), decision)


class _ConsumedRecord(NamedTuple):
    """The client's record, with the fields that are read here."""

    topic: str
    value: bytes
    headers: list[tuple[str, bytes | None]]
