"""One producer at a time; those that will not close are tried again, and too many of them end the process."""

from collections.abc import Callable

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from moderator.errors import StoppedError
from moderator.stream.kafka.producing.producers import Producers


class Producer:
    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.is_closed = False
        self.sends = True
        self._sender = self._client = self._manager = self
        self._conns: dict[int, object] = {}

    def get_connection(self, node: int) -> None:
        pass

    def force_close(self) -> None:
        self.sends = False

    def close(self, timeout: float) -> None:
        if self.hangs:
            raise KafkaTimeoutError(f"records in flight for {timeout} s")
        self.is_closed = True


def recorded(build: Callable[[], Producer]) -> tuple[Producers, list[Producer]]:
    built: list[Producer] = []

    def record() -> Producer:
        built.append(build())
        return built[-1]

    return Producers(record, hanging_limit=3), built


def test_the_same_one_is_given_until_it_is_dropped() -> None:
    producers, built = recorded(Producer)

    first = producers.get()
    again = producers.get()
    producers.drop()
    second = producers.get()

    assert again is first
    assert [first, second] == built
    assert (built[0].is_closed, built[1].is_closed) == (True, False)
    assert (built[0].sends, built[1].sends) == (False, True)


def test_too_many_that_hang_end_the_process() -> None:
    producers, built = recorded(lambda: Producer(hangs=True))
    for _ in range(3):
        producers.get()
        producers.drop()

    with pytest.raises(StoppedError, match="3 producers hang and cannot be closed"):
        producers.get()

    assert len(built) == 3


def test_one_that_closes_after_all_counts_no_more() -> None:
    producers, built = recorded(lambda: Producer(hangs=True))
    for _ in range(10):
        producers.get()
        producers.drop()
        built[-1].hangs = len(built) % 2 == 0 and len(built) < 4

    assert [each.is_closed for each in built[:4]] == [True, False, True, True]


def test_one_that_cannot_be_built_is_built_when_it_is_needed_again() -> None:
    failures = [KafkaConnectionError("away"), KafkaConnectionError("away")]

    def build() -> Producer:
        if failures:
            raise failures.pop()
        return Producer()

    producers, built = recorded(build)

    for _ in range(2):
        with pytest.raises(KafkaConnectionError):
            producers.get()

    assert producers.get() is built[0]


def test_closing_closes_the_current_one_and_those_that_were_left() -> None:
    producers, built = recorded(lambda: Producer(hangs=True))
    producers.get()
    producers.drop()
    producers.get()
    built[0].hangs = built[1].hangs = False

    producers.close()

    assert all(each.is_closed for each in built)
