"""Reads recorded decisions from the flag and allow topics, or people's labels: committed ones, outside of any group."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from kafka.errors import KafkaError

from moderator.events import Record
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, range_reader, unreachable
from moderator.stream.kafka.ranges.decision_range import DecisionRange
from moderator.stream.kafka.ranges.frozen_range import FrozenRange, count, resolve

_POLL_MS = 500


class KafkaDecisions:
    """Iterable over lists of records, within a `with` block.

    It reads what is committed when it connects; later decisions and those of open transactions are not read.

    Args:
        topics: whose records a range of time means; None: the flag and allow topics.

    Raises:
        BrokerUnavailableError: the brokers do not answer.
        ConfigurationError: a topic or partition is missing.
    """

    def __init__(self, settings: KafkaSettings, wanted: DecisionRange, topics: Sequence[str] | None = None) -> None:
        try:
            reader = range_reader(client_settings(settings))
        except KafkaError as error:
            raise unreachable(settings, error) from error
        try:
            ends = resolve(reader, topics or (settings.flag_topic, settings.allow_topic), wanted)
            self._source = FrozenRange(reader, ends)
        except KafkaError as error:
            reader.close()
            raise unreachable(settings, error) from error
        except BaseException:
            reader.close()
            raise
        self.total = count(ends)
        """How many offsets there are to read; a few of them hold no decision but a transaction's marker."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[list[Record]]:
        """Give the records, in order within each partition.

        Raises:
            StoppedError: the brokers have not answered for a minute.
            UndecodableBatchError: the client cannot decode a batch that the broker holds.
        """
        while not self._source.is_exhausted:
            if records := [record for span in self._source.poll(_POLL_MS) for record in span.items]:
                yield records
