"""A broker behind a proxy that can lose, cut or hold back what passes; one for all tests that leave it alive."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from moderator.settings import KafkaSettings
from tests.faults.kafka_proxy import KafkaProxy
from tests.kafka_stream import some_topics
from tests.servers.two_door_kafka import TwoDoorKafka


class Behind(NamedTuple):
    """A broker that clients reach through the proxy, and tests directly."""

    broker: TwoDoorKafka
    proxy: KafkaProxy

    def some_topics(self, **fields: Any) -> tuple[KafkaSettings, KafkaSettings]:
        """Create topics; give the settings for the replica, through the proxy, and for the test, directly."""
        direct = some_topics(self.broker.bootstrap_servers, **fields)
        return direct.model_copy(update={"bootstrap_servers": self.proxy.address}), direct


@contextmanager
def behind_a_proxy() -> Iterator[Behind]:
    with KafkaProxy() as proxy, TwoDoorKafka("PLAINTEXT", advertised=proxy.address) as broker:
        proxy.upstream_port = int(broker.second_bootstrap_servers.rpartition(":")[2])
        yield Behind(broker, proxy)


@pytest.fixture(scope="session")
def started_behind(kafka_tools: None) -> Iterator[Behind]:
    with behind_a_proxy() as behind:
        yield behind


@pytest.fixture
def behind(started_behind: Behind) -> Iterator[Behind]:
    yield started_behind
    started_behind.proxy.heal()
