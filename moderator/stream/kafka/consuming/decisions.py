"""Reads recorded decisions from the flag and allow topics, or people's labels: committed ones, outside of any group."""

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from moderator.errors import BrokerUnavailableError, ConfigurationError, StoppedError, UndecodableBatchError
from moderator.events import Record
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, probe_brokers, record_of
from moderator.stream.kafka.consuming.decision_range import DecisionRange, OffsetRanges
from moderator.stream.kafka.consuming.undecodable import UNDECODABLE

_ANSWER_MS = 10_000
_POLL_MS = 500
_STALLED_S = 60.0

Ends = dict[TopicPartition, tuple[int, int]]


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
        self._servers = settings.bootstrap_servers
        client = client_settings(settings)
        try:
            probe_brokers(client)
            self._reader = KafkaConsumer(**client, **_reader_settings())
        except KafkaError as error:
            raise self._away(error) from error
        try:
            self._ends = _resolve(self._reader, topics or (settings.flag_topic, settings.allow_topic), wanted)
        except KafkaError as error:
            self._reader.close()
            raise self._away(error) from error
        except BaseException:
            self._reader.close()
            raise

    @property
    def total(self) -> int:
        """How many offsets there are to read; a few of them hold no decision but a transaction's marker."""
        return sum(end - start for start, end in self._ends.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[list[Record]]:
        """Give the records, in order within each partition.

        Raises:
            StoppedError: the brokers have not answered for a minute.
            UndecodableBatchError: the client cannot decode a batch that the broker holds.
        """
        left = {partition: end for partition, (start, end) in self._ends.items() if start < end}
        self._reader.assign(list(left))
        for partition in left:
            self._reader.seek(partition, self._ends[partition][0])
        positions: Mapping[TopicPartition, int] = {}
        moved_at_s = time.monotonic()
        while left:
            if records := self._poll(left):
                yield records
            reached = {partition: self._reader.position(partition) for partition in left}
            if records or reached != positions:
                positions, moved_at_s = reached, time.monotonic()
            elif time.monotonic() - moved_at_s > _STALLED_S:
                raise StoppedError(f"Kafka at `{self._servers}` has not answered for {_STALLED_S:.0f} s")
            for partition in [each for each, position in reached.items() if position >= left[each]]:
                del left[partition]
                self._reader.pause(partition)

    def _poll(self, left: Mapping[TopicPartition, int]) -> list[Record]:
        try:
            polled = self._reader.poll(_POLL_MS)
        except UNDECODABLE as error:
            places = ", ".join(f"`{each.topic}/{each.partition}@{self._reader.position(each)}`" for each in left)
            raise UndecodableBatchError(
                f"a batch of records cannot be decoded ({type(error).__name__}); it is at or after one of {places}: "
                "choose offsets that exclude it"
            ) from error
        except KafkaError as error:
            raise StoppedError(f"Kafka at `{self._servers}` refuses: `{error}`") from error
        return [
            record_of(each)
            for partition, records in polled.items()
            for each in records
            if each.offset < left.get(partition, 0)
        ]

    def _away(self, error: Exception) -> BrokerUnavailableError:
        return BrokerUnavailableError(f"Kafka at `{self._servers}` does not answer: `{error}`")


def _reader_settings() -> dict[str, Any]:
    return {
        "group_id": None,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "max_poll_records": 2_000,
        "max_partition_fetch_bytes": 2 * 2**20,
        "fetch_max_bytes": 16 * 2**20,
    }


def _resolve(reader: KafkaConsumer, topics: Sequence[str], wanted: DecisionRange) -> Ends:
    """Turn a range into offsets that exist."""
    if isinstance(wanted, OffsetRanges):
        chosen = [TopicPartition(*partition) for partition in wanted.ranges]
    else:
        chosen = [TopicPartition(topic, number) for topic in topics for number in sorted(_partitions(reader, topic))]
    for partition in chosen:
        if partition.partition not in _partitions(reader, partition.topic):
            raise ConfigurationError(f"topic `{partition.topic}` has no partition {partition.partition}")
    firsts = reader.beginning_offsets(chosen, timeout_ms=_ANSWER_MS)
    lasts = reader.end_offsets(chosen, timeout_ms=_ANSWER_MS)
    starts: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]
    if isinstance(wanted, OffsetRanges):
        spans = {TopicPartition(*each): span for each, span in wanted.ranges.items()}
        starts = {each: _given(start, firsts[each]) for each, (start, _) in spans.items()}
        ends = {each: _given(end, lasts[each]) for each, (_, end) in spans.items()}
    else:
        starts = firsts if wanted.start_ms is None else _at(reader, wanted.start_ms, lasts)
        ends = lasts if wanted.until_ms is None else _at(reader, wanted.until_ms, lasts)
    return {each: (max(firsts[each], starts[each]), min(lasts[each], ends[each])) for each in chosen}


def _partitions(reader: KafkaConsumer, topic: str) -> set[int]:
    partitions: set[int] = reader.partitions_for_topic(topic)
    if not partitions:
        raise ConfigurationError(f"there is no topic `{topic}`, or we may not read it: name another")
    return partitions


def _at(reader: KafkaConsumer, time_ms: int, lasts: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """Give each partition's first offset at a time or after it, its end where there is none."""
    found = reader.offsets_for_times(dict.fromkeys(lasts, time_ms), timeout_ms=_ANSWER_MS)
    return {each: found[each].offset if found.get(each) else last for each, last in lasts.items()}


def _given(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset
