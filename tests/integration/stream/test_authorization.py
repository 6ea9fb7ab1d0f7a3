"""A broker with access lists: which rights are enough, and that a missing one ends the process at once, uncommitted."""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal, NamedTuple

import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from prometheus_client import CollectorRegistry

from moderator.errors import ConfigurationError, StoppedError
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.rights import require_rights
from moderator.stream.kafka.source_and_sink import begin_group, connect
from moderator.stream.kafka.topics import await_topics, connected
from tests.faults.loop import Loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import committed_offsets, output_topics, produce, read_committed, some_topics
from tests.servers.two_door_kafka import TwoDoorKafka
from tests.waiting import await_condition

pytestmark = pytest.mark.xdist_group("broker with access lists")

Delivery = Literal["exactly_once", "at_least_once"]
EACH = 20
USERS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_moderator="right" username="moderator" password="right";'
)


class Limited(NamedTuple):
    """Topics and a group, as the test sees them, who may do everything, and as `moderator` does."""

    direct: KafkaSettings
    settings: KafkaSettings

    def allow(self, *rights: tuple[ResourceType, str, ACLOperation]) -> None:
        self._decree(ACLPermissionType.ALLOW, *rights)

    def deny(self, *rights: tuple[ResourceType, str, ACLOperation]) -> None:
        self._decree(ACLPermissionType.DENY, *rights)

    def _decree(self, what: ACLPermissionType, *rights: tuple[ResourceType, str, ACLOperation]) -> None:
        acls = [ACL("User:moderator", "*", operation, what, _pattern(kind, name)) for kind, name, operation in rights]
        with closing(KafkaAdminClient(bootstrap_servers=self.direct.bootstrap_servers)) as admin:
            admin.create_acls(acls)
            # the broker enforces them a moment after it has agreed
            await_condition(lambda: all(admin.describe_acls(acl)[0] for acl in acls))

    def produce(self) -> None:
        produce(self.direct, (b"%d" % number for number in range(EACH)), partitions=1)

    def join(self) -> Loop:
        limits_bytes = await_topics(self.settings).limits_bytes
        return Loop(*connect(self.settings, limits_bytes, Metrics(CollectorRegistry())))


def _pattern(kind: ResourceType, name: str) -> Any:
    is_prefix = kind is ResourceType.TRANSACTIONAL_ID  # a group's name and a random end
    return ResourcePattern(kind, name, ACLResourcePatternType.PREFIXED if is_prefix else ACLResourcePatternType.LITERAL)


@pytest.fixture(scope="module")
def broker(kafka_tools: None) -> Iterator[TwoDoorKafka]:
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.second.plain.sasl.jaas.config": USERS,
    }
    with TwoDoorKafka("SASL_PLAINTEXT", settings=settings) as broker:
        yield broker


@pytest.fixture(params=["exactly_once", pytest.param("at_least_once", marks=pytest.mark.long)])
def limited(broker: TwoDoorKafka, request: pytest.FixtureRequest) -> Limited:
    """The rights that are enough, and events to begin with."""
    limited = some_limited(broker, request.param)
    limited.produce()
    return limited


def some_limited(broker: TwoDoorKafka, delivery: Delivery) -> Limited:
    direct = some_topics(broker.bootstrap_servers, partitions=1, delivery=delivery)
    user = {
        "bootstrap_servers": broker.second_bootstrap_servers,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "moderator",
        "sasl_password": "right",
    }
    limited = Limited(direct, KafkaSettings(**{**direct.model_dump(), **user}))
    limited.allow(
        (ResourceType.TOPIC, direct.events_topic, ACLOperation.READ),
        (ResourceType.GROUP, direct.group_id, ACLOperation.READ),
        *((ResourceType.TOPIC, topic, ACLOperation.WRITE) for topic in output_topics(direct)),
    )
    if delivery == "exactly_once":
        limited.allow((ResourceType.TRANSACTIONAL_ID, direct.group_id, ACLOperation.WRITE))
    return limited


def test_to_read_events_and_group_and_to_write_outputs_is_enough(limited: Limited) -> None:
    with closing(limited.join()) as loop:
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(limited.direct, [EACH])


def test_the_rights_that_are_enough_pass_the_check_of_the_start(limited: Limited) -> None:
    with connected(limited.settings) as admin:
        require_rights(admin, limited.settings)

    assert committed_offsets(limited.direct, 1) == [0]


@pytest.mark.parametrize(
    ("kind", "field", "operation", "named"),
    [
        (ResourceType.TOPIC, "events_topic", ACLOperation.READ, "READ on topic `{name}`"),
        (ResourceType.TOPIC, "flag_topic", ACLOperation.WRITE, "WRITE on topic `{name}`"),
        (ResourceType.TOPIC, "allow_topic", ACLOperation.DESCRIBE, "WRITE on topic `{name}`"),
        (ResourceType.TOPIC, "dead_letter_topic", ACLOperation.WRITE, "WRITE on topic `{name}`"),
        (ResourceType.GROUP, "group_id", ACLOperation.READ, "READ on group `{name}`"),
        (ResourceType.TRANSACTIONAL_ID, "group_id", ACLOperation.WRITE, "WRITE on transactional ids .* `{name}`"),
    ],
)
def test_each_missing_right_is_found_before_the_start_reads_or_joins_anything(
    broker: TwoDoorKafka, kind: ResourceType, field: str, operation: ACLOperation, named: str
) -> None:
    limited = some_limited(broker, "exactly_once")
    name = getattr(limited.direct, field)
    limited.deny((kind, name, operation))

    expected = rf"does not allow `User:moderator` {named.format(name=name)};"
    with connected(limited.settings) as admin, pytest.raises(ConfigurationError, match=expected):
        require_rights(admin, limited.settings)


def test_an_output_that_may_not_be_written_any_more_ends_the_process(limited: Limited) -> None:
    topic = limited.direct.dead_letter_topic
    with closing(limited.join()) as loop:
        loop.run_until(lambda: loop.committed == EACH)
        limited.deny((ResourceType.TOPIC, topic, ACLOperation.WRITE))
        limited.produce()

        with pytest.raises(StoppedError, match=rf"never take .*TopicAuthorizationFailedError.*{topic}"):
            loop.run_until(lambda: loop.committed > EACH)

    assert committed_offsets(limited.direct, 1) == [EACH]
    assert len(read_committed(limited.direct, topic)) == EACH // 10


def test_events_that_may_not_be_read_any_more_end_the_process(limited: Limited) -> None:
    topic = limited.direct.events_topic
    with closing(limited.join()) as loop:
        loop.run_until(lambda: loop.committed == EACH)
        limited.deny((ResourceType.TOPIC, topic, ACLOperation.READ))

        with pytest.raises(StoppedError, match=rf"TopicAuthorizationFailedError.*{topic}"):
            loop.run_until(lambda: loop.committed > EACH)

    assert_each_event_came_out_once(limited.direct, [EACH])


def test_a_group_that_may_not_be_joined_ends_the_process(limited: Limited) -> None:
    limited.deny((ResourceType.GROUP, limited.direct.group_id, ACLOperation.READ))

    with closing(limited.join()) as loop, pytest.raises(StoppedError, match=r"refuses us.*GroupAuthorizationFailed"):
        loop.run_until(lambda: loop.committed > 0)


def test_a_group_that_may_not_be_read_does_not_begin(limited: Limited) -> None:
    limited.deny((ResourceType.GROUP, limited.direct.group_id, ACLOperation.READ))
    threads_before = set(threading.enumerate())

    with pytest.raises(ConfigurationError, match=rf"no right to read as group `{limited.direct.group_id}`"):
        begin_group(limited.settings)

    # no client is left behind that keeps trying
    await_condition(lambda: set(threading.enumerate()) <= threads_before)


def test_offsets_that_may_not_be_committed_any_more_end_the_process(limited: Limited) -> None:
    with closing(limited.join()) as loop:
        loop.run_until(lambda: loop.committed == EACH)
        limited.deny((ResourceType.GROUP, limited.direct.group_id, ACLOperation.READ))
        limited.produce()

        with pytest.raises(StoppedError, match="GroupAuthorizationFailed"):
            loop.run_until(lambda: loop.committed > EACH)

    assert committed_offsets(limited.direct, 1) == [EACH]


def test_a_transactional_id_that_may_not_be_used_ends_the_process_at_once(broker: TwoDoorKafka) -> None:
    limited = some_limited(broker, "exactly_once")
    limited.deny((ResourceType.TRANSACTIONAL_ID, limited.direct.group_id, ACLOperation.WRITE))
    limited.produce()

    with closing(limited.join()) as loop, pytest.raises(StoppedError, match="TransactionalIdAuthorizationFailed"):
        loop.run_until(lambda: loop.committed > 0)

    assert committed_offsets(limited.direct, 1) == [0]
    assert read_committed(limited.direct) == []
