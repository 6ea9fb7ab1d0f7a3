"""What every client of ours is made with."""

import logging
import socket
from collections.abc import Iterator

import pytest
from kafka.errors import KafkaConnectionError

from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, probe_brokers


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


@pytest.fixture
def listening() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> Iterator[str]:
    with socket.socket() as held:  # nobody listens there, and nobody else can
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_one_broker_that_takes_a_connection_is_enough(listening: str, closed: str) -> None:
    probe_brokers({"bootstrap_servers": [closed, listening]})


def test_brokers_of_which_none_takes_a_connection_are_told_by_the_first(closed: str) -> None:
    with pytest.raises(KafkaConnectionError, match=rf"{closed}: .*refused"):
        probe_brokers({"bootstrap_servers": [closed, "nowhere:port"]})


def test_probing_takes_five_seconds_at_most_however_many_brokers_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    waits_s: list[float] = []

    def wait(_: object, timeout: float) -> None:
        waits_s.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", wait)

    with pytest.raises(KafkaConnectionError):
        probe_brokers({"bootstrap_servers": [f"broker-{number}:9092" for number in range(12)]})

    assert len(waits_s) == 12
    assert sum(waits_s) == pytest.approx(5.0)
