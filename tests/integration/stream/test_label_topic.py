"""Labels in a real topic: acknowledged, compacted by event and reviewer, and read by a backtest."""

import json
from pathlib import Path

import jsonschema
import pytest
from kafka import KafkaConsumer, TopicPartition

from moderator.cli.files.recorded_labels import read_any_labels
from moderator.errors import ConfigurationError
from moderator.labels.sink import LabelNotSavedError
from moderator.settings import ConsoleSettings, KafkaSettings, Settings
from moderator.stream.kafka.label_topic import LabelTopic
from moderator.supervisor.child import free_ports
from tests.builders import a_label
from tests.kafka_stream import some_names
from tests.unit.console.decisions import a_browser, a_console, a_decision

SCHEMA = json.loads(Path("moderator/stream/schemas/label.schema.json").read_text())


@pytest.fixture(autouse=True)
def _use_the_topics_of_this_test(kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bootstrap_servers", "labels_topic"):
        monkeypatch.setenv(f"MODERATOR_KAFKA__{name.upper()}", getattr(kafka_settings, name))


def values_of(settings: KafkaSettings) -> dict[bytes, bytes]:
    reader = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed")
    partitions = [TopicPartition(settings.labels_topic, n) for n in reader.partitions_for_topic(settings.labels_topic)]
    reader.assign(partitions)
    reader.seek_to_beginning(*partitions)
    ends = reader.end_offsets(partitions)
    found: dict[bytes, bytes] = {}
    while any(reader.position(each) < ends[each] for each in partitions):
        for records in reader.poll(500).values():
            found |= {record.key: record.value for record in records}
    reader.close()
    return found


def test_labels_of_two_people_reach_the_topic_and_a_backtest_takes_the_newest(kafka_settings: KafkaSettings) -> None:
    with pytest.raises(ConfigurationError, match=f"topic `{kafka_settings.labels_topic}` holds no label"):
        read_any_labels("kafka", None)
    topic = LabelTopic(kafka_settings)
    sent = [
        a_label(id="evt-1", reviewer="ana", label="flag", labelled_at="2026-11-29T12:00:00Z"),
        a_label(id="evt-1", reviewer="ben", label="allow", judgement="wrong", labelled_at="2026-11-29T12:00:01Z"),
        a_label(id="evt-2", reviewer="ana", label=None, judgement="unsure", note="a joke?"),
        a_label(id="evt-3", reviewer="ana", label="flag", tenant=None),
        a_label(id="evt-3", reviewer="ana", label="allow", tenant=None, judgement="wrong"),
    ]

    for label in sent:
        topic.save(label)
    topic.close()

    found = values_of(kafka_settings)
    assert found.keys() == {b"acme:evt-1:ana", b"acme:evt-1:ben", b"acme:evt-2:ana", b":evt-3:ana"}
    for value in found.values():
        jsonschema.validate(json.loads(value), SCHEMA)
    assert read_any_labels("kafka", None).verdicts == {("acme", "evt-1"): "allow", (None, "evt-3"): "allow"}


def test_what_two_people_answer_on_the_console_reaches_the_topic(kafka_settings: KafkaSettings) -> None:
    access = ConsoleSettings(user_header="X-Forwarded-User", trusted_proxies="127.0.0.1")
    topic = LabelTopic(kafka_settings)
    decisions = [a_decision(1, flag=True), a_decision(2)]
    console = a_console(*decisions, settings=Settings(console=access), sink=topic)
    times = iter(f"2026-11-30T12:00:0{second}.000Z" for second in range(9))
    console.desk._now = lambda: next(times)
    browser = a_browser(console)
    answers = [("ana", 1, "right"), ("ben", 1, "wrong"), ("ana", 2, "unsure"), ("ben", 2, "wrong")]

    for name, number, judgement in answers:
        body = {"decision_id": decisions[number - 1]["decision_id"], "judgement": judgement, "queue": "flagged"}
        assert browser.post("/api/labels", json=body, headers={"X-Forwarded-User": name}).status_code == 201
    topic.close()

    found = {key: json.loads(value) for key, value in values_of(kafka_settings).items()}
    for record in found.values():
        jsonschema.validate(record, SCHEMA)
    assert {(key, record["label"], record["reviewer_from"]) for key, record in found.items()} == {
        (b"acme:evt-1:ana", "flag", "proxy"),
        (b"acme:evt-1:ben", "allow", "proxy"),
        (b"acme:evt-2:ana", None, "proxy"),
        (b"acme:evt-2:ben", "flag", "proxy"),
    }
    assert read_any_labels("kafka", None).verdicts == {("acme", "evt-1"): "allow", ("acme", "evt-2"): "flag"}


def test_a_label_that_kafka_does_not_take_is_reported_each_time() -> None:
    topic = LabelTopic(some_names(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}"))

    with pytest.raises(LabelNotSavedError, match="Kafka does not take labels in topic"):
        topic.save(a_label())
    with pytest.raises(LabelNotSavedError):
        topic.save(a_label())
