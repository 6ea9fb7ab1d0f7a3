"""Batches that Kafka's client cannot decode stop the stream once all before them is published; the error's own command
gets past them. Header names that are not UTF-8 stop nothing."""

import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata
from prometheus_client import CollectorRegistry

from moderator.errors import UndecodableBatchError
from moderator.events import DeadLetter
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.source_and_sink import connect
from tests.faults.loop import a_loop
from tests.faults.oracle import place_of
from tests.kafka_stream import decided, every_tenth_is_dead, read_committed, some_topics, usual_limits
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S

BATCHES = (range(3), range(3, 8), range(8, 10))
BAD_BATCH = 1


class NotUtf8(str):  # noqa: SLOT000 - it holds nothing
    """A header key as other clients may write it."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


def produce_batches(settings: KafkaSettings, *bad_offsets: int, batches: Sequence[range] = BATCHES) -> None:
    for batch in batches:
        producer = KafkaProducer(
            bootstrap_servers=settings.bootstrap_servers, linger_ms=30_000
        )  # closing it sends one batch
        for offset in batch:
            headers = [(NotUtf8("x"), b"1")] if offset in bad_offsets else []
            producer.send(settings.events_topic, b"value-%d" % offset, partition=0, headers=headers)
        producer.close()


def damage(kafka: SharedKafka, settings: KafkaSettings, value: bytes) -> None:
    """Change one byte of a record where the broker keeps it; it does not look again before it serves it."""
    segment = kafka.folder / "logs" / f"{settings.events_topic}-0" / "00000000000000000000.log"
    content = segment.read_bytes()
    with segment.open("r+b") as file:
        file.seek(content.index(value))
        file.write(b"VALUE")


def decide_until_it_stops(settings: KafkaSettings) -> UndecodableBatchError:
    with closing(a_loop(settings)) as loop, pytest.raises(UndecodableBatchError) as raised:
        loop.run_until(lambda: False)
    return raised.value


def test_an_undecodable_batch_is_named_with_a_way_past_it_when_all_before_it_is_published(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    produce_batches(settings)
    damage(kafka, settings, b"value-5")

    error = decide_until_it_stops(settings)

    assert sorted(place_of(record, settings) for record in read_committed(settings)) == [
        (0, offset) for offset in BATCHES[0]
    ]
    assert f"topic `{settings.events_topic}` partition 0 offset {BATCHES[BAD_BATCH].start}" in str(error)
    assert f"--group {settings.group_id} --topic {settings.events_topic}:0" in str(error)
    assert resumed_at(error) == BATCHES[BAD_BATCH].stop
    assert read_from(settings, resumed_at(error)) == list(BATCHES[BAD_BATCH + 1])


def test_a_bad_batch_that_was_met_just_before_a_pause_stops_the_stream_after_it(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    produce_batches(settings)
    damage(kafka, settings, b"value-5")

    def decide() -> None:
        source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
        with closing(source), closing(sink):
            while not (batches := source.poll(100)):
                pass
            source.pause()
            for _ in range(3):  # the client forgets the error, and then reads the partition without an end
                source.poll(50)
            source.resume()
            retry = decided(batches, every_tenth_is_dead)
            while retry:
                retry = sink.publish(retry).retry
            while True:
                source.poll(100)

    stopped = in_a_thread(decide)

    assert isinstance(stopped, UndecodableBatchError)


def in_a_thread(run: Callable[[], object]) -> BaseException | None:
    """Give what it raises; a thread that never ends fails the test."""
    raised: list[BaseException] = []

    def catch() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)

    thread = threading.Thread(target=catch, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return raised[0] if raised else None


def test_what_is_readable_between_two_bad_batches_is_not_skipped(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    first_bad, good, second_bad = range(3), range(3, 8), range(8, 30)
    produce_batches(settings, batches=(first_bad, good, second_bad))
    damage(kafka, settings, b"value-0")
    damage(kafka, settings, b"value-8")

    error = decide_until_it_stops(settings)

    assert read_committed(settings) == []
    assert resumed_at(error) == good.start
    assert read_from(settings, good.start) == list(good)


def test_a_header_name_that_is_not_utf_8_is_read_with_its_record_and_stops_nothing(kafka: SharedKafka) -> None:
    settings = some_topics(kafka.bootstrap_servers, partitions=1)
    produce_batches(settings, 5)

    with closing(a_loop(settings, lambda record: DeadLetter("bad_schema", "as every one"))) as loop:
        loop.run_until(lambda: loop.committed == BATCHES[-1].stop)

    letters = sorted(read_committed(settings), key=lambda record: place_of(record, settings))
    assert [place_of(letter, settings) for letter in letters] == [(0, offset) for offset in range(BATCHES[-1].stop)]
    assert [letter.value for letter in letters] == [b"value-%d" % offset for offset in range(BATCHES[-1].stop)]
    assert dict(letters[5].headers)[r"\xff\xfe"] == b"1"


def resumed_at(error: UndecodableBatchError) -> int:
    found = re.search(r"--to-offset (\d+)", str(error))
    assert found is not None
    return int(found[1])


def read_from(settings: KafkaSettings, offset: int) -> list[int]:
    """Do what the command does, then read on."""
    partition = TopicPartition(settings.events_topic, 0)
    admin = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers, group_id=settings.group_id)
    admin.assign([partition])
    admin.commit({partition: OffsetAndMetadata(offset, "", -1)})
    admin.close(autocommit=False)
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            if batches := source.poll(100):
                return [record.offset for batch in batches for record in batch.items]
    pytest.fail("nothing came")
