"""A failed producer cannot be used again, and may refuse to close: keep one at a time, and count those that remain."""

import contextlib
from collections.abc import Callable

from kafka import KafkaProducer
from kafka.errors import KafkaError

from moderator.errors import NotPublishingError
from moderator.stream.kafka.producing.transaction import ConnectionWatch, give_up


class Producers:
    """One producer at a time, built when it is needed and dropped after any failure, or when a connection has ended.

    A broker that was away may have left out the end of its last transaction, see `exactly_once`: its successor ends it.

    Args:
        build: makes a producer, or raises KafkaError.
        hanging_limit: how many may refuse to close before the process must be restarted.
    """

    def __init__(self, build: Callable[[], KafkaProducer], hanging_limit: int = 20) -> None:
        self._build = build
        self._hanging_limit = hanging_limit
        self._hanging: list[KafkaProducer] = []
        self._current: KafkaProducer | None = None
        self._watch: ConnectionWatch | None = None

    def get(self) -> KafkaProducer:
        """Give the current one, or build one.

        Raises:
            KafkaError: the broker does not answer.
            NotPublishingError: too many refused to close.
        """
        if self._watch is not None and self._watch.has_lost_one:
            self.drop()
        if self._current is None:
            self._hanging = [old for old in self._hanging if not try_to_close(old)]
            if len(self._hanging) >= self._hanging_limit:
                raise NotPublishingError(
                    f"{len(self._hanging)} producers hang and cannot be closed: start `moderator` again"
                )
            self._current = self._build()
            self._watch = ConnectionWatch(self._current)
        return self._current

    def drop(self) -> None:
        """Never use the current one again; it sends nothing more."""
        if self._current is not None:
            give_up(self._current)
            self._hanging.append(self._current)
            self._current = self._watch = None

    def close(self) -> None:
        """Close what can be closed."""
        self.drop()
        for old in self._hanging:
            try_to_close(old)


def try_to_close(producer: KafkaProducer) -> bool:
    """Close it; false while its thread still waits for something. It sends nothing more, which might fence another."""
    give_up(producer)
    with contextlib.suppress(KafkaError):
        producer.close(0)
        return True
    return False
