"""Reads topics from some time back, then continuously: every partition, committed records alone, outside of any group.

It writes nothing and commits nothing, so it disturbs no consumer and needs no right but to read the topics.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, OffsetOutOfRangeError

from moderator.events import Record
from moderator.observability.logging import get_logger
from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, free_broken_connections, probe_brokers, record_of
from moderator.stream.kafka.consuming.undecodable import UNDECODABLE

log = get_logger(__name__)

_POLL_MS: Final = 500
_ANSWER_MS: Final = 10_000
_RETRY_S: Final = 1.0
_LOOK_EVERY_S: Final = 5.0
_SILENT_S: Final = 3.0
"""The broker answers a fetch within half a second, records or not; after so long without an answer it is away."""

Positions = dict[TopicPartition, int]


class Progress(NamedTuple):
    """How far reading has come.

    Attributes:
        trouble: what is wrong, and what is tried; empty where all is well.
        left: offsets still to be read of what there was when it connected.
        is_at_end: all topics were read to their ends since then.
    """

    trouble: str = ""
    left: int = 0
    is_at_end: bool = False


class TopicFollower:
    """Follows topics on the thread that calls `run`.

    Args:
        settings: brokers and credentials.
        start_ms: by topic, from which time on it is read, ms since 1970; None: from its beginning.
        receive: takes what was polled of one topic, in the order of each partition.
        report: is called with each change of how far reading has come.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        start_ms: Mapping[str, int | None],
        receive: Callable[[str, Sequence[Record]], None],
        report: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._start_ms = start_ms
        self._receive = receive
        self._report = report
        self._positions: Positions = {}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Let `run` return within a second."""
        self._stop.set()

    def run(self) -> None:
        """Read until `stop`; a broker that is away, and a topic that is missing, are waited for."""
        while not self._stop.is_set():
            try:
                self._follow()
            except KafkaError as error:
                self._report(Progress(_trouble(self._settings.bootstrap_servers, error)))
                log.warning("console_reader_replaced", error=type(error).__name__)
            except UNDECODABLE as error:
                self._report(Progress(f"a batch of records cannot be decoded ({type(error).__name__}); trying again"))
                log.warning("console_reader_replaced", error=type(error).__name__)
            self._stop.wait(_RETRY_S)

    def _follow(self) -> None:
        client = client_settings(self._settings)
        probe_brokers(client)
        consumer = KafkaConsumer(**client, **_reader_settings())
        try:
            _Reading(consumer, self._start_ms, self._positions, self._report).run(self._receive, self._stop)
        finally:
            with suppress(KafkaError):
                consumer.close()


class _Reading:
    """One connection: places every partition, and reads until the broker or the caller ends it."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        start_ms: Mapping[str, int | None],
        positions: Positions,
        report: Callable[[Progress], None],
    ) -> None:
        self._consumer = consumer
        self._start_ms = start_ms
        self._positions = positions  # outlives the connection
        self._report = report
        self._ends: Positions = {}
        self._missing: list[str] = []
        self._looked_at_s = 0.0
        self._answered_at_s = time.monotonic()
        self._reported: Progress | None = None
        self._response_rate = next(
            metric
            for key, metric in consumer.metrics(raw=True).items()
            if key.group == "consumer-metrics" and key.name == "response-rate"
        )

    def run(self, receive: Callable[[str, Sequence[Record]], None], stop: threading.Event) -> None:
        while not stop.is_set():
            self._look()
            try:
                polled = self._poll(stop)
            except OffsetOutOfRangeError as error:
                self._place_again(list(error.args[0]))
                continue
            for partition, records in polled.items():
                receive(partition.topic, [record_of(each) for each in records])
                self._positions[partition] = records[-1].offset + 1
            self._note()

    def _poll(self, stop: threading.Event) -> Mapping[TopicPartition, Sequence[Any]]:
        if self._consumer.assignment():
            polled: Mapping[TopicPartition, Sequence[Any]] = self._consumer.poll(_POLL_MS)
            return polled
        stop.wait(_POLL_MS / 1_000)
        return {}

    def _look(self) -> None:
        """Find topics that came, and partitions that were added."""
        now_s = time.monotonic()
        if now_s - self._looked_at_s < _LOOK_EVERY_S:
            return
        self._looked_at_s = now_s
        found = {topic: self._consumer.partitions_for_topic(topic) for topic in self._start_ms}
        self._missing = [topic for topic, numbers in found.items() if not numbers]
        there = {TopicPartition(topic, number) for topic, numbers in found.items() for number in numbers}
        for gone in self._consumer.assignment() - there:
            self._positions.pop(gone, None)  # another topic of that name is read from its start
            self._ends.pop(gone, None)
        if there != self._consumer.assignment():
            self._assign(there)

    def _assign(self, partitions: set[TopicPartition]) -> None:
        known = self._consumer.assignment()
        self._consumer.assign(list(partitions))
        self._place([each for each in partitions if each not in known])
        for partition in known & partitions:
            self._consumer.seek(partition, self._positions[partition])

    def _place(self, partitions: Sequence[TopicPartition]) -> None:
        """Go on where the last connection ended, else at the time from which the topic is read."""
        firsts = self._consumer.beginning_offsets(partitions, timeout_ms=_ANSWER_MS)
        lasts = self._consumer.end_offsets(partitions, timeout_ms=_ANSWER_MS)
        starts = {each: start for each in partitions if (start := self._start_ms[each.topic]) is not None}
        found = self._consumer.offsets_for_times(starts, timeout_ms=_ANSWER_MS) if starts else {}
        for each in partitions:
            at = found.get(each)
            start = firsts[each] if each not in starts else at.offset if at else lasts[each]
            position = self._positions.get(each, start)
            self._positions[each] = position if firsts[each] <= position <= lasts[each] else start
            self._ends[each] = lasts[each]
            self._consumer.seek(each, self._positions[each])

    def _place_again(self, partitions: Sequence[TopicPartition]) -> None:
        """What was to be read next is not in the log any more."""
        for each in partitions:
            log.warning("console_position_lost", topic=each.topic, partition=each.partition)
            self._positions.pop(each, None)
        self._place(partitions)

    def _note(self) -> None:
        """Report what has changed; positions pass the markers of transactions, which no poll gives."""
        now_s = time.monotonic()
        if self._response_rate.value() > 0:
            self._answered_at_s = now_s
        for partition in self._consumer.assignment():
            self._positions[partition] = self._consumer.position(partition)
        left = sum(max(0, end - self._positions[each]) for each, end in self._ends.items())
        progress = Progress(self._trouble(now_s), left, is_at_end=left == 0 and not self._missing)
        if progress != self._reported:
            self._reported = progress
            self._report(progress)

    def _trouble(self, now_s: float) -> str:
        if self._consumer.assignment() and now_s - self._answered_at_s > _SILENT_S:
            free_broken_connections()
            return _trouble(self._servers)
        if self._missing:
            names = ", ".join(f"`{topic}`" for topic in self._missing)
            return f"there is no topic {names}, or we may not read it; `moderator topics create` creates them"
        return ""

    @property
    def _servers(self) -> str:
        return ",".join(self._consumer.config["bootstrap_servers"])


def _trouble(servers: str, error: KafkaError | None = None) -> str:
    if error is None or isinstance(error, KafkaConnectionError | KafkaTimeoutError):
        return f"Kafka at `{servers}` does not answer; trying again"
    return f"Kafka at `{servers}` refuses ({type(error).__name__}); trying again"


def _reader_settings() -> dict[str, Any]:
    return {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "max_poll_records": 2_000,
        "max_partition_fetch_bytes": 2**20,
        "fetch_max_bytes": 8 * 2**20,
        "fetch_max_wait_ms": 500,
        # a topic that was created, and partitions that were added, are noticed within it
        "metadata_max_age_ms": 10_000,
        "metrics_num_samples": 2,
        "metrics_sample_window_ms": 1_500,
    }
