"""What the coordinators say of a transactional id before a producer with this id starts."""

from collections.abc import Iterator

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, producer_settings
from moderator.stream.kafka.producing.last_end import COMMIT, FORGOTTEN, LastEnd, last_end
from moderator.stream.kafka.producing.transaction import await_answer, begin_offsets
from tests.waiting import await_condition

ANSWER_S = 10.0


@pytest.fixture
def producer(kafka_settings: KafkaSettings) -> Iterator[KafkaProducer]:
    """One whose id is the group's name, started and without a transaction."""
    settings = producer_settings("none", largest_record_bytes=2**20, smallest_batch_limit_bytes=2**20)
    producer = KafkaProducer(**client_settings(kafka_settings), **settings, transactional_id=kafka_settings.group_id)
    producer.init_transactions()
    yield producer
    producer.close(0)


def begin(producer: KafkaProducer, settings: KafkaSettings) -> None:
    producer.begin_transaction()
    positions = {TopicPartition(settings.events_topic, 0): OffsetAndMetadata(1, "", -1)}
    await_answer(begin_offsets(producer, positions, ConsumerGroupMetadata(settings.group_id)), ANSWER_S)


def asked(settings: KafkaSettings) -> LastEnd:
    return last_end(client_settings(settings), settings.group_id, settings.group_id)


def test_an_id_that_was_never_used_has_had_no_transaction(kafka_settings: KafkaSettings) -> None:
    assert asked(kafka_settings) == FORGOTTEN


def test_an_id_whose_producer_has_just_started_has_had_none_since_then(
    kafka_settings: KafkaSettings, producer: KafkaProducer
) -> None:
    assert asked(kafka_settings) == FORGOTTEN


def test_a_transaction_that_is_open_ends_by_an_abort(kafka_settings: KafkaSettings, producer: KafkaProducer) -> None:
    begin(producer, kafka_settings)

    assert not asked(kafka_settings).is_commit


def test_a_commit_is_known_until_the_next_producer_starts(
    kafka_settings: KafkaSettings, producer: KafkaProducer
) -> None:
    begin(producer, kafka_settings)
    producer.commit_transaction()

    assert asked(kafka_settings) == COMMIT


def test_so_is_an_abort_and_where_it_was_only_until_it_is_complete(
    kafka_settings: KafkaSettings, producer: KafkaProducer
) -> None:
    begin(producer, kafka_settings)
    producer.send(kafka_settings.flag_topic, b"{}", partition=0).get(ANSWER_S)
    before = asked(kafka_settings).partitions
    producer.abort_transaction()
    await_condition(lambda: asked(kafka_settings) == LastEnd(is_commit=False, partitions=None))

    assert before is not None
    assert TopicPartition(kafka_settings.flag_topic, 0) in before
