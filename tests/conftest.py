"""Real servers for the tests that need them: one of each a session. What cannot start is a failure, never a skip."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from moderator.demo.servers.java import require_kafka_tools
from moderator.demo.servers.kafka import LocalKafka
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from tests.kafka_stream import some_topics

# machines are shared and noisy: no deadlines, and slow first draws are no failure; every run draws others
settings.register_profile("noisy-machine", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("noisy-machine")


@pytest.fixture(scope="session")
def kafka_tools() -> None:
    """What a broker needs; for every test that starts one of its own."""
    require_kafka_tools()


@pytest.fixture(scope="session")
def kafka(kafka_tools: None) -> Iterator[LocalKafka]:
    """A broker that all tests share; those that stop or kill one start their own."""
    with LocalKafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def redis_server() -> Iterator[LocalRedis]:
    with LocalRedis() as server:
        yield server


@pytest.fixture
def kafka_settings(kafka: LocalKafka) -> KafkaSettings:
    """Topics of three partitions and a group that this test has for itself."""
    return some_topics(kafka.bootstrap_servers)
