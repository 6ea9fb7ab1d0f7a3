"""Writes people's labels to their topic: each is acknowledged by all in-sync copies before it counts as saved."""

import threading

from kafka import KafkaProducer
from kafka.errors import KafkaError

from moderator.errors import NotPublishingError
from moderator.labels.record import Label, encode_label, record_key
from moderator.labels.sink import LabelNotSavedError
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, probe_brokers, producer_settings
from moderator.stream.kafka.producing.delivery import DEADLINE_S, deliver
from moderator.stream.kafka.producing.producers import Producers
from moderator.stream.kafka.topics import RECORD_LIMIT_BYTES


class LabelTopic:
    """`LabelSink` that writes to Kafka; it connects at the first label, and again after any failure."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producers = Producers(self._build)
        self._lock = threading.Lock()

    def save(self, label: Label) -> None:
        """Write one label, and return when it is acknowledged.

        Raises:
            LabelNotSavedError: Kafka does not answer, or refuses; the label may have arrived all the same.
        """
        topic = self._settings.labels_topic
        headers = [("content-type", b"application/json")]
        with self._lock:
            try:
                producer = self._producers.get()
                deliver(producer, [producer.send(topic, encode_label(label), record_key(label), headers)], DEADLINE_S)
            except (KafkaError, NotPublishingError) as error:
                self._producers.drop()
                raise LabelNotSavedError(f"Kafka does not take labels in topic `{topic}`: `{error}`") from error

    def close(self) -> None:
        """Close the connection."""
        self._producers.close()

    def _build(self) -> KafkaProducer:
        client = client_settings(self._settings)
        probe_brokers(client)
        return KafkaProducer(
            **client,
            **producer_settings(
                self._settings.compression,
                largest_record_bytes=RECORD_LIMIT_BYTES,
                smallest_batch_limit_bytes=RECORD_LIMIT_BYTES,
            ),
        )
