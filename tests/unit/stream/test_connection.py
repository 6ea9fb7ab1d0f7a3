"""What every client of ours is made with."""

import logging
from collections.abc import Iterator

import pytest

from moderator.settings import KafkaSettings
from moderator.stream.connection import client_settings


@pytest.fixture(autouse=True)
def _client_s_log_as_before() -> Iterator[None]:
    client = logging.getLogger("kafka")
    level = client.level
    yield
    client.setLevel(level)


@pytest.mark.parametrize(
    ("level", "after"),
    [(logging.NOTSET, logging.INFO), (logging.DEBUG, logging.INFO), (logging.WARNING, logging.WARNING)],
)
def test_the_client_never_logs_the_records_that_it_sends(level: int, after: int) -> None:
    logging.getLogger("kafka").setLevel(level)

    client_settings(KafkaSettings())

    assert logging.getLogger("kafka").level == after


def test_brokers_may_stand_apart() -> None:
    settings = KafkaSettings(bootstrap_servers="one:9092, two:9093")

    assert client_settings(settings)["bootstrap_servers"] == ["one:9092", "two:9093"]
