"""Passes dead letters, as the records that they were, to a producer."""

from collections.abc import Sequence
from typing import Any, cast

from kafka import KafkaProducer

from moderator.events import DecidedSpan, Record
from moderator.stream.kafka.producing.partitioning import Partitioner
from moderator.stream.kafka.producing.sender import partition_count


class RecordSender:
    """`producing.delivery.Send` of records: the outcome of each record is the record to send.

    A record without a key goes to the partition that it names.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._partitioner = Partitioner({})

    def __call__(self, producer: KafkaProducer, spans: Sequence[DecidedSpan]) -> list[Any]:
        """Send every outcome; give the futures.

        Raises:
            KafkaError: the topic is missing, or the client refuses a record.
        """
        self._partitioner.counts = {self._topic: partition_count(producer, self._topic)}
        return [self._send(producer, cast("Record", outcome)) for span in spans for _, outcome in span.items]

    def _send(self, producer: KafkaProducer, record: Record) -> Any:
        partition = self._partitioner.partition(self._topic, record.key, record.partition)
        return producer.send(self._topic, record.value, record.key, list(record.headers), partition)
