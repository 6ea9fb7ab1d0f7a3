"""What tests on a real broker need: topics of their own, events in, decisions out, and a look at what was committed."""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import orjson
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from pydantic import SecretStr

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, PolledSpan, Record
from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import RECORD_LIMIT_BYTES, create_topics
from tests.builders import an_encoded_decision
from tests.waiting import PATIENCE_S, await_condition

TOPIC_SETTINGS = ("events_topic", "flag_topic", "allow_topic", "dead_letter_topic", "labels_topic")


def some_topics(bootstrap_servers: str, *, partitions: int = 3, **fields: Any) -> KafkaSettings:
    """Create topics and name a group that nobody else uses."""
    settings = some_names(bootstrap_servers=bootstrap_servers, **fields)
    create_topics(settings, partitions=partitions, replication=1)
    return settings


def some_names(**fields: Any) -> KafkaSettings:
    run = uuid.uuid4().hex[:8]
    topics = {name: f"{name}-{run}" for name in TOPIC_SETTINGS}
    return KafkaSettings(**{"group_id": f"group-{run}", "start_timeout_s": 20, **topics, **fields})


@contextmanager
def admin_of(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)) as admin:
        yield admin


def create_topic(settings: KafkaSettings, topic: str, partitions: int) -> None:
    """Create one more, and wait until clients see it."""
    with admin_of(settings) as admin:
        admin.create_topics([NewTopic(topic, partitions, 1)])
        admin.wait_for_topics([topic])


def add_partitions(settings: KafkaSettings, total: int) -> None:
    """Let the events topic have more partitions, and wait until clients see them."""
    topic = settings.events_topic
    with admin_of(settings) as admin:
        admin.create_partitions({topic: total})
        await_condition(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == total)


def delete_topic(settings: KafkaSettings, topic: str) -> None:
    """Delete a topic, and wait until no client sees it."""
    with admin_of(settings) as admin:
        admin.delete_topics([topic])
        await_condition(lambda: topic not in admin.list_topics())


def configure(settings: KafkaSettings, kind: ConfigResourceType, names: Sequence[str], **changes: object) -> None:
    """Change settings of topics or brokers; a broker that does not know a new topic yet refuses them at first."""
    configs = {key.replace("_", "."): str(value) for key, value in changes.items()}

    def is_done(admin: KafkaAdminClient) -> bool:
        try:
            answers = admin.alter_configs([ConfigResource(kind, name, dict(configs)) for name in names])
        except ValueError:
            return False
        return set(answers[kind.name.lower()].values()) == {"OK"}

    with admin_of(settings) as admin:
        await_condition(lambda: is_done(admin))


def kafka_variables(settings: KafkaSettings) -> dict[str, str]:
    """Say in environment variables what was set, secrets in plain."""
    given = settings.model_dump(exclude_unset=True, exclude_none=True)
    return {
        f"MODERATOR_KAFKA__{field.upper()}": value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for field, value in given.items()
    }


def output_topics(settings: KafkaSettings) -> list[str]:
    return [settings.flag_topic, settings.allow_topic, settings.dead_letter_topic]


def usual_limits(settings: KafkaSettings) -> dict[str, int]:
    return dict.fromkeys(output_topics(settings), RECORD_LIMIT_BYTES)


def produce(
    settings: KafkaSettings,
    values: Iterable[bytes | None],
    *,
    partitions: int = 3,
    headers: Sequence[tuple[str, bytes]] = (),
    **client: Any,
) -> None:
    """Write values round robin; each has a key, so that null values can be written too."""
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers, linger_ms=5, **client)
    for number, value in enumerate(values):
        partition = number % partitions
        producer.send(settings.events_topic, value, b"key-%d" % (number % 7), list(headers), partition)
    producer.close()


def a_decision(record: Record) -> EncodedDecision:
    """Flag what stands at odd offsets; the rest of a decision does not matter to Kafka."""
    is_odd = record.offset % 2 == 1
    event = {"id": f"evt-{record.partition}-{record.offset}", "partition": record.partition, "offset": record.offset}
    decision_id = f"mod_{record.partition}_{record.offset}"
    return an_encoded_decision(
        value=orjson.dumps({"decision_id": decision_id, "event": event}),
        decision_id=decision_id,
        event_id=event["id"],
        verdict="flag" if is_odd else "allow",
        severity="high" if is_odd else None,
    )


def every_tenth_is_dead(record: Record) -> EncodedDecision | DeadLetter:
    return DeadLetter("bad_json", "not JSON") if record.offset % 10 == 9 else a_decision(record)


def decided(
    batches: Sequence[PolledSpan], outcome: Callable[[Record], EncodedDecision | DeadLetter] = a_decision
) -> list[DecidedSpan]:
    return [batch.with_items([(each, outcome(each)) for each in batch.items]) for batch in batches]


def read_committed(settings: KafkaSettings, *topics: str) -> list[Any]:
    """Give every visible record of the topics (the outputs by default), partition by partition in order.

    Waits until no transaction is open any more: what comes after it is hidden until then.
    """
    ends = _ends(settings, topics or output_topics(settings))
    if not ends:
        return []
    reader = KafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
    )
    reader.assign(list(ends))
    reader.seek_to_beginning(*ends)
    records: list[Any] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while any(reader.position(partition) < end for partition, end in ends.items()):
        assert time.monotonic() < deadline_s, "a transaction stays open"
        for polled in reader.poll(50).values():
            records.extend(polled)
    reader.close()
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def committed_offsets(settings: KafkaSettings, partitions: int = 3) -> list[int]:
    """Give the group's committed offset of each partition of the events topic; 0 without one."""
    with asking_for_offsets(settings, partitions) as offsets:
        return offsets()


def await_committed(settings: KafkaSettings, wanted: Sequence[int], timeout_s: float = PATIENCE_S) -> None:
    """Wait until these are the group's committed offsets."""
    with asking_for_offsets(settings, len(wanted)) as offsets:
        await_condition(lambda: offsets() == list(wanted), timeout_s)


@contextmanager
def asking_for_offsets(settings: KafkaSettings, partitions: int = 3) -> Iterator[Callable[[], list[int]]]:
    """Give `committed_offsets` for those who ask many times: it costs a client, 30 ms of CPU each time."""
    reader = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers, group_id=settings.group_id)
    every = [TopicPartition(settings.events_topic, number) for number in range(partitions)]
    try:
        yield lambda: [reader.committed(partition) or 0 for partition in every]
    finally:
        reader.close(autocommit=False)


def _ends(settings: KafkaSettings, topics: Sequence[str]) -> dict[TopicPartition, int]:
    reader = KafkaConsumer(bootstrap_servers=settings.bootstrap_servers)
    try:
        every = [TopicPartition(topic, number) for topic in topics for number in reader.partitions_for_topic(topic)]
        return {partition: end for partition, end in reader.end_offsets(every).items() if end > 0}
    finally:
        reader.close()
