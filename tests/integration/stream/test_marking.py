"""What is being scored while a partition is on trial, written down on a real broker: it moves no position."""

from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from moderator.events import PartitionSpan, PolledSpan, Record
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.client_state import committed
from moderator.stream.kafka.consuming.position import Position, Trial, read_position
from moderator.stream.kafka.source_and_sink import connect
from tests.kafka_stream import decided, produce, usual_limits
from tests.waiting import await_condition

WINDOWS = 15
ALONE = 3


def test_marks_move_no_position_even_right_after_a_transaction(kafka_settings: KafkaSettings) -> None:
    produce(kafka_settings, (b'{"text": "text"}' for _ in range(WINDOWS)), partitions=1)
    source, sink = connect(kafka_settings, usual_limits(kafka_settings), Metrics(CollectorRegistry()))
    marking = sink.marking
    assert marking
    spans: list[PolledSpan] = []

    def records() -> list[Record]:
        spans.extend(source.poll(50))
        return [record for span in spans for record in span.items]

    with closing(source), closing(sink), closing(outsider(kafka_settings)) as reader:
        await_condition(lambda: len(records()) == WINDOWS)
        assert marking.is_on

        for offset, record in enumerate(records()):
            is_alone = offset == ALONE
            window = [PartitionSpan(spans[0].partition, spans[0].assignment_epoch, offset + 1, [record])]
            assert marking.begin(window, is_alone=is_alone)
            during = stored(reader, kafka_settings)
            marking.end()
            after = stored(reader, kafka_settings)
            assert sink.publish(decided(window)).retry == []

            assert (during.offset, after.offset) == (offset, offset)
            assert during.trial == Trial(1, 0 if is_alone else None)
            assert after.trial is None
        assert stored(reader, kafka_settings).offset == WINDOWS


def outsider(settings: KafkaSettings) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, group_id=settings.group_id, isolation_level="read_committed"
    )


def stored(reader: KafkaConsumer, settings: KafkaSettings, number: int = 0) -> Position:
    partition = TopicPartition(settings.events_topic, number)
    return read_position(committed(reader, [partition], 10)[partition])


def test_who_takes_over_from_a_replica_that_lives_finds_no_mark(kafka_settings: KafkaSettings) -> None:
    produce(kafka_settings, (b'{"text": "text"}' for _ in range(9)))
    first, first_sink = connect(kafka_settings, usual_limits(kafka_settings), Metrics(CollectorRegistry()))
    second, second_sink = connect(kafka_settings, usual_limits(kafka_settings), Metrics(CollectorRegistry()))
    assert first_sink.marking
    spans: list[PolledSpan] = []

    def polled() -> int:
        spans.extend(first.poll(50))
        return sum(len(span.items) for span in spans)

    def is_taken_over() -> bool:
        assert first_sink.marking
        first_sink.marking.before_poll()
        first.poll(100)
        second.poll(100)
        return bool(second.assignment) and second.is_joined

    with closing(first), closing(second), closing(first_sink), closing(second_sink):
        await_condition(lambda: polled() == 9)
        assert first_sink.marking.begin(spans, is_alone=False)
        with closing(outsider(kafka_settings)) as reader:
            assert stored(reader, kafka_settings).trial
            await_condition(is_taken_over)

            positions = [stored(reader, kafka_settings, partition.number) for partition in second.assignment]

    assert [(position.offset, position.trial, position.suspects) for position in positions] == [(0, None, 0)] * len(
        positions
    )
