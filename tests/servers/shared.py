"""One Kafka broker for all tests of a run, whichever process they run in."""

from contextlib import closing, suppress
from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

from moderator.demo.servers.java import require_kafka_tools
from moderator.demo.servers.kafka import LocalKafka


class SharedKafka(NamedTuple):
    """Where the broker is, and the folder in which it keeps its data."""

    bootstrap_servers: str
    folder: Path


class KafkaKeeper:
    """Starts the broker when a test process first asks for it, and stops it at the end of the run.

    It belongs to pytest's main process: a test process may end while others still need the broker.
    """

    def __init__(self) -> None:
        self._listener = Listener()
        self._broker: LocalKafka | None = None
        Thread(target=self._answer, daemon=True).start()  # lasts as long as the process; the broker ends with it

    @property
    def address(self) -> str:
        return str(self._listener.address)

    def close(self) -> None:
        if self._broker:
            self._broker.close()

    def _answer(self) -> None:
        while True:
            with suppress(OSError), self._listener.accept() as connection:  # who asked may have ended; others ask too
                connection.send(self._answered())

    def _answered(self) -> SharedKafka | Exception:
        try:
            return self._shared()
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked has to learn of it
            return error

    def _shared(self) -> SharedKafka:
        if self._broker is None:
            require_kafka_tools()
            self._broker = LocalKafka()
            self._broker.start()
            _ask_about_a_group(self._broker)
        return SharedKafka(self._broker.bootstrap_servers, self._broker.folder)


def _ask_about_a_group(broker: LocalKafka) -> None:
    """Wait for an answer: the first question about any group has a broker make their topic, and gets an error."""
    with closing(KafkaConsumer(bootstrap_servers=broker.bootstrap_servers, group_id="first")) as reader:
        reader.committed(TopicPartition("first", 0))


def ask_for_kafka(keeper_address: str) -> SharedKafka:
    with Client(keeper_address) as connection:
        answer = connection.recv()
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, SharedKafka)
    return answer
