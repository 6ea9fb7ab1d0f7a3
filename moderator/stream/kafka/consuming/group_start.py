"""Where a new group begins: decided and written down before anything is read, so that no restart changes it.

A group that has lost its positions looks like a new one. To begin at the oldest event would then decide all of the
topic again; the output topics show whether anything was ever decided.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError, KafkaError, UnknownMemberIdError

from moderator.counted import counted
from moderator.errors import ConfigurationError
from moderator.events import iso_time
from moderator.observability.logging import get_logger
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.client_state import committed
from moderator.stream.kafka.consuming.partition_logs import read_logs
from moderator.stream.kafka.consuming.position import (
    Finding,
    PartitionLog,
    Position,
    compare,
    place_after,
    read_position,
)

log = get_logger(__name__)

_ANSWER_S = 20.0
"""Longer than the 14 s that brokers need to end a transaction which another replica's crash left open."""
_LAST_DECISIONS = 50
_SEARCH_S = 3.0
_POLL_MS = 100

Connect = Callable[..., KafkaConsumer]
"""Make a consumer that joins no group; `isolation_level` and `group_id` by name."""
Places = dict[TopicPartition, int]


class GroupStart(NamedTuple):
    """Where a group would begin, or go on.

    Attributes:
        is_new: it has no position in any partition.
        places: the offset to read first, by partition.
        logs: what the brokers hold, by partition.
        lost: positions that the log does not hold any more as they were written, and what was found instead.
    """

    is_new: bool
    places: Places
    logs: dict[TopicPartition, PartitionLog]
    lost: Mapping[TopicPartition, tuple[Position, list[Finding]]] = MappingProxyType({})

    @property
    def has_events(self) -> bool:
        """Check whether the topic holds any, before the place or after it."""
        return any(each.end > each.beginning for each in self.logs.values())

    @property
    def events(self) -> int:
        """How many offsets there are to judge."""
        return sum(self.logs[partition].end - place for partition, place in self.places.items())


def plan_start(settings: KafkaSettings, connect: Connect) -> GroupStart:
    """Find out where the group begins or goes on; changes nothing.

    Raises:
        ConfigurationError: the group is new, but something was decided before: a human has to say where it begins.
        KafkaError: the brokers do not answer.
    """
    has_decisions, is_known = _history(settings, connect)
    if not is_known:
        with closing(connect(isolation_level="read_committed", group_id=settings.group_id)) as consumer:
            if start := _start_of_new(consumer, settings, connect, has_decisions=has_decisions):
                return start
    with closing(connect(isolation_level="read_uncommitted", group_id=settings.group_id)) as consumer:
        return _start_of_known(consumer, _partitions(consumer, settings.events_topic))


def begin_group(settings: KafkaSettings, connect: Connect) -> None:
    """Write down where a new group begins; any other group is not changed.

    Raises:
        ConfigurationError: see `plan_start`.
        KafkaError: the brokers do not answer.
    """
    has_decisions, is_known = _history(settings, connect)
    if is_known:
        return
    with closing(connect(isolation_level="read_committed", group_id=settings.group_id)) as consumer:
        start = _start_of_new(consumer, settings, connect, has_decisions=has_decisions)
        if start is not None and _write_down(consumer, start) and start.has_events:
            report = log.warning if has_decisions else log.info
            report("group_begins", at=settings.start_at or "earliest", events=start.events)


def _history(settings: KafkaSettings, connect: Connect) -> tuple[bool, bool]:
    """Check whether anything was ever decided, and whether the group has a position; waits for no transaction."""
    # outputs first: the decisions of a sibling that starts now must not look like another group's
    with closing(connect(isolation_level="read_uncommitted", group_id=settings.group_id)) as consumer:
        has_decisions = any(_ends(consumer, _outputs(settings)).values())
        return has_decisions, bool(committed(consumer, _partitions(consumer, settings.events_topic), _ANSWER_S))


def _start_of_new(
    consumer: KafkaConsumer, settings: KafkaSettings, connect: Connect, *, has_decisions: bool
) -> GroupStart | None:
    """Plan where it begins; None for one whose first transaction has left a position by now."""
    partitions = _partitions(consumer, settings.events_topic)
    consumer.assign(partitions)
    if committed(consumer, partitions, _ANSWER_S):
        return None
    start = _beginning(consumer, partitions, settings)
    if start.events and has_decisions and settings.start_at is None:
        raise ConfigurationError(_refusal(settings, start.events, connect))
    return start


def _write_down(consumer: KafkaConsumer, start: GroupStart) -> bool:
    positions = {
        partition: Position(place, start.logs[partition].leader_epoch, start.logs[partition].topic_id).written()
        for partition, place in start.places.items()
    }
    try:
        consumer.commit(positions, timeout_ms=_ANSWER_S * 1_000)
    except (CommitFailedError, UnknownMemberIdError):
        log.info("group_has_begun", hint="another replica did it first")
        return False
    return True


def _beginning(consumer: KafkaConsumer, partitions: list[TopicPartition], settings: KafkaSettings) -> GroupStart:
    logs = read_logs(consumer, dict.fromkeys(partitions), _ANSWER_S)  # before any time is looked up
    if settings.start_at is None or settings.start_at == "earliest":
        places = {partition: each.beginning for partition, each in logs.items()}
    elif settings.start_at == "latest":
        places = {partition: each.end for partition, each in logs.items()}
    else:
        places = _places_at(consumer, datetime.fromisoformat(settings.start_at), logs)
    return GroupStart(is_new=True, places=places, logs=logs)


def _places_at(consumer: KafkaConsumer, at: datetime, logs: Mapping[TopicPartition, PartitionLog]) -> Places:
    asked = dict.fromkeys(logs, int(at.timestamp() * 1_000))
    found: Mapping[TopicPartition, Any] = consumer.offsets_for_times(asked, timeout_ms=_ANSWER_S * 1_000)
    return {partition: found[partition].offset if found.get(partition) else log.end for partition, log in logs.items()}


def _start_of_known(consumer: KafkaConsumer, partitions: list[TopicPartition]) -> GroupStart:
    stored = {tp: read_position(each) for tp, each in committed(consumer, partitions, _ANSWER_S).items()}
    logs = read_logs(consumer, {tp: stored[tp].epoch if tp in stored else None for tp in partitions}, _ANSWER_S)
    found = {tp: (position, compare(position, logs[tp])) for tp, position in stored.items()}
    places = {tp: place_after(*found[tp]) if tp in found else each.beginning for tp, each in logs.items()}
    lost = {tp: each for tp, each in found.items() if any(finding.is_loss for finding in each[1])}
    return GroupStart(is_new=False, places=places, logs=logs, lost=lost)


def _refusal(settings: KafkaSettings, events: int, connect: Connect) -> str:
    newest = _newest_decision(settings, connect)
    of_ours = f"; the newest that this group made is of {newest}" if newest else ""
    return (
        f"group `{settings.group_id}` has no position in topic `{settings.events_topic}`, so {_all_of(events)} would "
        f"be judged, but the output topics hold decisions{of_ours}: either another group made them, or this group's "
        "positions have expired (brokers drop those of a group without members after `offsets.retention.minutes`, "
        "7 days by default); set `MODERATOR_KAFKA__START_AT` to `earliest`, to `latest`, or to a time such as "
        "`2026-11-29T06:00:00Z`"
    )


def _all_of(events: int) -> str:
    return "its one event" if events == 1 else f"all {counted(events, 'event')}"


def _newest_decision(settings: KafkaSettings, connect: Connect) -> str | None:
    """Give the time of the newest decision that this group made, among the last of each partition; None: none found."""
    try:
        with closing(connect(isolation_level="read_committed", group_id=None)) as reader:
            times = [each.timestamp for each in _last_records(reader, _outputs(settings)) if _is_of(each, settings)]
    except KafkaError:  # reading may not be allowed
        return None
    return iso_time(max(times) / 1_000) if times else None


def _last_records(reader: KafkaConsumer, topics: list[str]) -> list[Any]:
    ends = {tp: end for tp, end in _ends(reader, topics).items() if end}
    reader.assign(list(ends))
    beginnings = reader.beginning_offsets(list(ends), timeout_ms=_ANSWER_S * 1_000)
    for partition, end in ends.items():
        reader.seek(partition, max(beginnings[partition], end - _LAST_DECISIONS))
    records: list[Any] = []
    deadline_s = time.monotonic() + _SEARCH_S
    while time.monotonic() < deadline_s and any(reader.position(tp) < end for tp, end in ends.items()):
        records += [record for polled in reader.poll(_POLL_MS).values() for record in polled]
    return records


def _is_of(record: Any, settings: KafkaSettings) -> bool:
    return ("ce_source", f"/moderator/{settings.group_id}".encode()) in record.headers


def _outputs(settings: KafkaSettings) -> list[str]:
    return [settings.flag_topic, settings.allow_topic, settings.dead_letter_topic]


def _ends(consumer: KafkaConsumer, topics: list[str]) -> dict[TopicPartition, int]:
    partitions = [partition for topic in topics for partition in _partitions(consumer, topic)]
    ends: dict[TopicPartition, int] = consumer.end_offsets(partitions, timeout_ms=_ANSWER_S * 1_000)
    return ends


def _partitions(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    numbers = consumer.partitions_for_topic(topic) or ()
    return [TopicPartition(topic, number) for number in sorted(numbers)]
