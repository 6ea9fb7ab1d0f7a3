"""What stands in the output topics: headers, partitions, dead letters, and what becomes of the very large."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.partitioner.default import murmur2
from prometheus_client import CollectorRegistry

from moderator.events import DeadLetter, EncodedDecision, Record
from moderator.observability.metrics import Metrics
from moderator.settings import Compression, KafkaSettings
from moderator.stream.kafka.source_and_sink import connect
from moderator.stream.kafka.topics import await_topics
from tests.builders import a_record
from tests.faults.loop import Loop
from tests.kafka_stream import a_decision, read_committed, some_topics
from tests.servers.shared import SharedKafka

Outcome = Callable[[Record], EncodedDecision | DeadLetter]


def publish(settings: KafkaSettings, outcome: Outcome, *sent: dict[str, Any]) -> list[Any]:
    """Send records to the events topic, publish an outcome for each, and give what came out."""
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    for record in sent:
        producer.send(settings.events_topic, **record)
    producer.close()
    loop = Loop(*connect(settings, await_topics(settings).limits_bytes, Metrics(CollectorRegistry())), outcome=outcome)
    with closing(loop):
        loop.run_until(lambda: loop.committed == len(sent))
    return read_committed(settings)


def test_a_decision_carries_what_filters_and_tracers_need(kafka_settings: KafkaSettings) -> None:
    traceparent = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    sent = {"value": b"{}", "key": b"c-9", "partition": 1, "headers": [traceparent, ("other", b"x")]}

    def flagged(record: Record) -> EncodedDecision:
        return a_decision(record._replace(offset=1))

    (record,) = publish(kafka_settings, flagged, sent)

    assert record.topic == kafka_settings.flag_topic
    assert record.key == b"c-9"
    assert orjson.loads(record.value)["decision_id"] == "mod_1_1"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"mod_1_1",
        "ce_source": f"/moderator/{kafka_settings.group_id}".encode(),
        "ce_type": b"moderator.decision.v1",
        "ce_time": b"2026-10-05T12:00:00.412Z",
        "ce_subject": b"evt-1-1",
        "content-type": b"application/json",
        "verdict": b"flag",
        "severity": b"high",
        "traceparent": traceparent[1],
    }


def test_an_allowed_event_has_no_severity(kafka_settings: KafkaSettings) -> None:
    (record,) = publish(kafka_settings, a_decision, {"value": b"{}", "partition": 0})

    assert record.topic == kafka_settings.allow_topic
    assert "severity" not in dict(record.headers)


def test_a_conversations_decisions_go_where_its_key_says_and_keyless_ones_stay(kafka_settings: KafkaSettings) -> None:
    keyed = [{"value": b"{}", "key": b"c-%d" % number, "partition": number % 3} for number in range(12)]
    keyless = [{"value": b"{}", "partition": number} for number in range(3)]

    records = publish(kafka_settings, a_decision, *keyed, *keyless)

    assert len(records) == 15
    for record in records:
        source = orjson.loads(record.value)["event"]["partition"]
        assert record.partition == (source if record.key is None else (murmur2(record.key) & 0x7FFFFFFF) % 3)


def test_a_dead_letter_is_the_original_and_says_where_it_came_from(kafka_settings: KafkaSettings) -> None:
    sent = {"value": b"\xff\x00", "partition": 2, "headers": [("h", b"1")]}

    (record,) = publish(kafka_settings, lambda _: DeadLetter("bad_json", "not JSON"), sent)

    assert (record.topic, record.key, record.value) == (kafka_settings.dead_letter_topic, None, b"\xff\x00")
    assert record.headers[:2] == [("h", b"1"), ("dlq.reason", b"bad_json")]
    assert dict(record.headers)["dlq.partition"] == b"2"


def test_a_decision_that_its_topic_does_not_take_is_refused_before_it_is_published(
    kafka_settings: KafkaSettings,
) -> None:
    source, sink = connect(kafka_settings, await_topics(kafka_settings).limits_bytes, Metrics(CollectorRegistry()))
    record = a_record(offset=0)

    with closing(source), closing(sink):
        taken = sink.reject_oversized(record, a_decision(record))
        refused = sink.reject_oversized(record, a_decision(record)._replace(value=b"x" * 5_000_000))

    assert taken is None
    assert refused
    assert refused.reason == "too_large"
    assert kafka_settings.allow_topic in refused.error


@pytest.mark.parametrize(
    ("compression", "number"),
    [
        *(pytest.param(name, at, marks=pytest.mark.long) for at, name in enumerate(("none", "gzip", "snappy", "lz4"))),
        ("zstd", 4),
    ],
)
def test_outputs_are_written_with_the_codec_of_the_settings(
    kafka: SharedKafka, compression: Compression, number: int
) -> None:
    settings = some_topics(kafka.bootstrap_servers, compression=compression)

    def large(record: Record) -> EncodedDecision:  # what a codec does not make smaller, the client leaves as it is
        return a_decision(record)._replace(value=b'{"about": "%s"}' % (b"a" * 2_000))

    (record,) = publish(settings, large, {"value": b"{}", "key": b"c-9", "partition": 1})

    assert codecs_on_disk(settings, record.topic, record.partition) == {number}


def codecs_on_disk(settings: KafkaSettings, topic: str, partition: int) -> set[int]:
    """Read the codec of each batch that is no control batch from the broker's log segments.

    A batch is an offset (8 bytes), its length from here on (4), leader epoch (4), magic (1), CRC (4), attributes (2):
    https://kafka.apache.org/documentation/#recordbatch. The codec is in the lowest three attribute bits, bit 5 marks a
    control batch.
    """
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    folders = {Path(each["log_dir"]) for broker in admin.describe_log_dirs() for each in broker["log_dirs"]}
    admin.close()
    codecs = set()
    for folder in folders:
        for segment in (folder / f"{topic}-{partition}").glob("*.log"):
            content, at = segment.read_bytes(), 0
            while at < len(content):
                attributes = int.from_bytes(content[at + 21 : at + 23], "big")
                if not attributes & 0b100000:
                    codecs.add(attributes & 0b111)
                at += 12 + int.from_bytes(content[at + 8 : at + 12], "big")
    return codecs
