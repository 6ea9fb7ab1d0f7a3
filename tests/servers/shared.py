"""One Kafka broker for all tests of a run, whichever process they run in."""

from multiprocessing.connection import Client, Listener
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from moderator.demo.servers.java import require_kafka_tools
from moderator.demo.servers.kafka import LocalKafka
from moderator.errors import ModeratorError


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
            with self._listener.accept() as connection:
                try:
                    connection.send(self._shared())
                except ModeratorError as error:
                    connection.send(error)

    def _shared(self) -> SharedKafka:
        if self._broker is None:
            require_kafka_tools()
            self._broker = LocalKafka()
            self._broker.start()
        return SharedKafka(self._broker.bootstrap_servers, self._broker.folder)


def ask_for_kafka(keeper_address: str) -> SharedKafka:
    with Client(keeper_address) as connection:
        answer = connection.recv()
    if isinstance(answer, ModeratorError):
        raise answer
    assert isinstance(answer, SharedKafka)
    return answer
