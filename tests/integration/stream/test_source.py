"""What the source gives of a topic that other programs write."""

from contextlib import closing

from kafka import KafkaProducer
from prometheus_client import CollectorRegistry

from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.source_and_sink import connect
from tests.kafka_stream import usual_limits
from tests.waiting import await_condition


def test_events_of_a_transaction_that_was_aborted_never_come(kafka_settings: KafkaSettings) -> None:
    _write_in_two_transactions(kafka_settings, aborted=b"aborted", committed=b"committed")
    source, sink = connect(kafka_settings, usual_limits(kafka_settings), Metrics(CollectorRegistry()))
    values: list[bytes | None] = []

    def has_come() -> bool:
        values.extend(record.value for batch in source.poll(100) for record in batch.items)
        return bool(values)

    with closing(source), closing(sink):
        await_condition(has_come)

    assert values == [b"committed"]


def _write_in_two_transactions(settings: KafkaSettings, *, aborted: bytes, committed: bytes) -> None:
    name = f"{settings.group_id}-producer"
    with closing(KafkaProducer(bootstrap_servers=settings.bootstrap_servers, transactional_id=name)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(settings.events_topic, aborted, partition=0)
        producer.flush()
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send(settings.events_topic, committed, partition=0)
        producer.commit_transaction()
