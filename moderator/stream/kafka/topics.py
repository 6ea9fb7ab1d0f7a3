"""Topics: wait for the brokers, check that the topics exist and are suitable, create them."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, ProducerState
from kafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from moderator.errors import BrokerUnavailableError, ConfigurationError
from moderator.observability.logging import get_logger
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import OUTPUT_BATCH_BYTES, client_settings, probe_brokers

log = get_logger(__name__)

RECORD_LIMIT_BYTES = 1_048_588
"""What Kafka's topics accept by default."""
DEAD_LETTER_EXTRA_BYTES = 64 * 1024
"""Room for the reasons that a dead letter carries in addition to the original record."""
_RETRY_S = 1.0
_PORT = re.compile(r":\d+$")
_MAX_MESSAGE_BYTES = "max.message.bytes"
_TIMESTAMP_TYPE = "message.timestamp.type"
_BROKERS_TIME = "LogAppendTime"
_CLEANUP = "cleanup.policy"


class Topics(NamedTuple):
    """What the start has to know about the topics.

    Attributes:
        limits_bytes: the largest record that each output topic accepts, by name.
        has_brokers_time: events carry the time at which a broker received them, not one that their producer chose.
        partitions: how many the events topic has.
    """

    limits_bytes: dict[str, int]
    has_brokers_time: bool
    partitions: int


def await_topics(settings: KafkaSettings, *, sleep: Callable[[float], object] = time.sleep) -> Topics:
    """Wait until the brokers answer, then check the topics.

    Raises:
        BrokerUnavailableError: no answer within `start_timeout_s`.
        ConfigurationError: a topic is missing.
    """
    with connected(settings, sleep) as admin:
        partitions = require_topics(admin, settings)
        topics = read_topics(admin, settings, partitions)
    if not topics.has_brokers_time:
        _warn_of_producers_time(settings.events_topic)
    return topics


def require_topics(admin: KafkaAdminClient, settings: KafkaSettings) -> int:
    """Check that the topics exist, those that we may see at least; give the partitions of the events topic.

    Raises:
        ConfigurationError: a topic is missing.
    """
    wanted = [settings.events_topic, *_output_topics(settings)]
    described = {topic["name"]: topic for topic in admin.describe_topics(wanted)}
    errors = {topic: for_code(described[topic]["error_code"]) for topic in wanted}
    wrong = [
        f"`{topic}` ({error.__name__})"
        for topic, error in errors.items()
        if error not in {NoError, TopicAuthorizationFailedError}  # `rights` reports those
    ]
    if wrong:
        raise ConfigurationError(
            f"Kafka at `{settings.bootstrap_servers}` does not give us {', '.join(wrong)}: "
            "create the topics with `moderator topics create`, or name others"
        )
    return len(described[settings.events_topic]["partitions"])


def read_topics(admin: KafkaAdminClient, settings: KafkaSettings, partitions: int) -> Topics:
    """Read the topics' settings, as far as we may see them; `partitions` is what `require_topics` gave."""
    configs = _topic_configs(admin, [settings.events_topic, *_output_topics(settings)])
    has_brokers_time = configs[settings.events_topic].get(_TIMESTAMP_TYPE, _BROKERS_TIME) == _BROKERS_TIME
    limits_bytes = {topic: _record_limit_bytes(configs[topic]) for topic in _output_topics(settings)}
    return Topics(limits_bytes, has_brokers_time, partitions)


def create_topics(settings: KafkaSettings, *, partitions: int, replication: int) -> dict[str, bool]:
    """Create the topics that are missing; give each name with whether it is new. Existing topics are not changed.

    Args:
        settings: brokers and names.
        partitions: of each topic; at most as many replicas as the events topic has partitions share the work.
        replication: copies of each partition; -1 lets the brokers choose.

    Raises:
        BrokerUnavailableError: no answer within `start_timeout_s`.
        ConfigurationError: the brokers refuse to create one.
    """
    shape = {"num_partitions": partitions, "replication_factor": replication}
    with connected(settings) as admin:
        # policy time and queueing time are read from it: the brokers' clocks agree, those of many producers do not
        events = {settings.events_topic: {**shape, "configs": {_TIMESTAMP_TYPE: _BROKERS_TIME}}}
        # first, and awaited: a new topic may not show its settings at once, and the others depend on them
        created = _create(admin, events)
        events_config = _topic_configs(admin, [settings.events_topic])[settings.events_topic]
        limits_bytes = {
            settings.flag_topic: OUTPUT_BATCH_BYTES,
            settings.allow_topic: OUTPUT_BATCH_BYTES,
            settings.dead_letter_topic: max(
                OUTPUT_BATCH_BYTES, _record_limit_bytes(events_config) + DEAD_LETTER_EXTRA_BYTES
            ),
        }
        outputs = {
            topic: {**shape, "configs": {_MAX_MESSAGE_BYTES: str(limit)}} for topic, limit in limits_bytes.items()
        }
        labels = {settings.labels_topic: {**shape, "configs": {_CLEANUP: "compact"}}}
        return created | _create(admin, outputs | labels)


def require_topic(settings: KafkaSettings, topic: str) -> int:
    """Check that a topic exists; give the largest record that it accepts, bytes.

    Raises:
        BrokerUnavailableError: no answer within `start_timeout_s`.
        ConfigurationError: it is missing, or we may not see it.
    """
    with connected(settings) as admin:
        wanted = [topic, settings.events_topic]
        described = {each["name"]: each for each in admin.describe_topics(wanted)}
        if for_code(described[topic]["error_code"]) is not NoError:
            partitions = len(described[settings.events_topic]["partitions"]) or 1
            raise ConfigurationError(
                f"Kafka at `{settings.bootstrap_servers}` has no topic `{topic}`: create it with `kafka-topics.sh "
                f"--bootstrap-server {settings.bootstrap_servers} --create --topic {topic} --partitions {partitions} "
                f"--config {_MAX_MESSAGE_BYTES}={OUTPUT_BATCH_BYTES}`"
            )
        return _record_limit_bytes(_topic_configs(admin, [topic])[topic])


def holds_markers(settings: KafkaSettings, partition: TopicPartition) -> bool:
    """Check whether offsets of a partition may hold no event: the topic is compacted, or transactions wrote to it.

    True also where we may not ask: a count of offsets is then an upper bound of the events.
    """
    client = client_settings(settings)
    try:
        probe_brokers(client)
        with contextlib.closing(KafkaAdminClient(**client)) as admin:
            config = _topic_configs(admin, [partition.topic])[partition.topic]
            producers = admin.describe_producers([partition])[partition].active_producers
    except KafkaError:
        return True
    return "compact" in config.get(_CLEANUP, "") or any(map(_is_transactional, producers))


def _is_transactional(producer: ProducerState) -> bool:
    # an idempotent producer has neither ended a transaction nor one that is open
    return bool(producer.coordinator_epoch >= 0 or producer.current_transaction_start_offset >= 0)


@contextlib.contextmanager
def connected(settings: KafkaSettings, sleep: Callable[[float], object] = time.sleep) -> Iterator[KafkaAdminClient]:
    """Connect for the duration of a block; the client's errors become ours.

    Raises:
        BrokerUnavailableError: no answer within `start_timeout_s`, or none in the block.
    """
    admin = _connect(settings, sleep)
    try:
        yield admin
    except KafkaError as error:
        raise BrokerUnavailableError(f"Kafka at `{settings.bootstrap_servers}` refuses: `{error}`") from error
    finally:
        admin.close()


def _connect(settings: KafkaSettings, sleep: Callable[[float], object]) -> KafkaAdminClient:
    began_s = time.monotonic()
    while True:
        left_s = settings.start_timeout_s - (time.monotonic() - began_s)
        try:
            return _admin(settings, left_s)
        except (KafkaError, OSError) as error:
            left_s = settings.start_timeout_s - (time.monotonic() - began_s) - _RETRY_S
            if left_s <= 0:
                raise BrokerUnavailableError(
                    f"Kafka at `{settings.bootstrap_servers}` did not answer within {settings.start_timeout_s:g} s "
                    f"(`MODERATOR_KAFKA__START_TIMEOUT_S`): `{error}`{_hint(error)}"
                ) from error
            servers, cause = settings.bootstrap_servers, str(error)
            give_up_in_s, hint = round(left_s, 1), _port_hint(servers)
            log.warning("kafka_unreachable", bootstrap_servers=servers, cause=cause, give_up_in_s=give_up_in_s, **hint)
            sleep(_RETRY_S)


def _admin(settings: KafkaSettings, timeout_s: float) -> KafkaAdminClient:
    client = client_settings(settings)
    probe_brokers(client)
    timeout_ms = min(client.pop("bootstrap_timeout_ms"), timeout_s * 1_000)
    return KafkaAdminClient(**client, bootstrap_timeout_ms=timeout_ms)


def _port_hint(servers: str) -> dict[str, str]:
    entries = [entry.strip() for entry in servers.split(",")]
    without = [f"`{entry}`" for entry in entries if not _PORT.search(entry)]
    return {"hint": f"{', '.join(without)} names no port, which means 9092"} if without else {}


def _hint(error: Exception) -> str:
    # the client does not say why it could not start; it was not the network, which is probed first
    return (
        ""
        if isinstance(error, KafkaConnectionError)
        else ("; it accepts connections: check `MODERATOR_KAFKA__SECURITY_PROTOCOL`, certificates, user and password")
    )


def _output_topics(settings: KafkaSettings) -> list[str]:
    return [settings.flag_topic, settings.allow_topic, settings.dead_letter_topic]


def _topic_configs(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read each topic's settings; empty for a topic that is missing, or whose settings we may not see."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    described: Mapping[str, Mapping[str, Any]] = admin.describe_configs(resources, config_filter="all")["topic"]
    return {topic: {name: each["value"] for name, each in described[topic].items()} for topic in topics}


def _record_limit_bytes(config: Mapping[str, str]) -> int:
    return int(config.get(_MAX_MESSAGE_BYTES, RECORD_LIMIT_BYTES))


def _warn_of_producers_time(topic: str) -> None:
    log.warning(
        "events_carry_producers_time",
        topic=topic,
        hint=f"set `{_TIMESTAMP_TYPE}={_BROKERS_TIME}`: policy time and queueing time are read from it",
    )


def _create(admin: KafkaAdminClient, topics: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    created = admin.create_topics(topics, raise_errors=False)["topics"]
    for topic in created:
        if for_code(topic["error_code"]) not in {NoError, TopicAlreadyExistsError}:
            raise ConfigurationError(f"topic `{topic['name']}` cannot be created: {topic['error_message']}")
    admin.wait_for_topics(list(topics))
    return {topic["name"]: for_code(topic["error_code"]) is NoError for topic in created}
