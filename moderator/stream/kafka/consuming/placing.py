"""Where an assigned partition goes on: the group's position, compared with what the brokers hold.

The client alone would go on where nothing was lost for it, silently: it has forgotten the position's epoch, and
its own reset knows only the two ends of the log.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from kafka import TopicPartition
from kafka.errors import AuthorizationError, KafkaError, UnstableOffsetCommitError
from kafka.structs import OffsetAndMetadata

from moderator.errors import LostEventsError
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.client_state import committed, is_led, position_of, update_metadata
from moderator.stream.kafka.consuming.membership import Membership
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

_ANSWER_S = 1.0
_RETRY_S = 0.5
_HIDDEN_S = 15.0
"""Longer than the 14 s that brokers need to end a transaction which another replica's crash left open."""

Found = dict[TopicPartition, tuple[Position, list[Finding]]]


class Placing:
    """Places the partitions of one membership. Same thread as the source.

    Args:
        membership: whose partitions.
        on_lost_events: go on after a warning, or stop.
        metrics: where what was lost is counted.
        holds_markers: tells whether offsets of a partition may hold something other than events.
        end_left_open: ends what we left open, which hides positions.
    """

    def __init__(
        self,
        membership: Membership,
        on_lost_events: Literal["continue", "stop"],
        metrics: Metrics,
        *,
        holds_markers: Callable[[TopicPartition], bool],
        end_left_open: Callable[[], object],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._membership = membership
        self._on_lost_events = on_lost_events
        self._events_lost = metrics.events_lost
        self._log_truncated = metrics.log_truncated
        self._holds_markers = holds_markers
        self._end_left_open = end_left_open
        self._monotonic_s = monotonic_s
        self._retry_at_s = 0.0
        self._hidden_since_s: float | None = None
        self._reported: Found = {}

    def place(self) -> None:
        """Place what was assigned; without an answer try again later.

        Raises:
            AuthorizationError: we may not read the group.
            LostEventsError: events are lost, and that has to stop the process.
        """
        unplaced = self._membership.unplaced
        if not unplaced or self._monotonic_s() < self._retry_at_s:
            return
        led = {partition: epoch for partition, epoch in unplaced.items() if self._has_leader(partition)}
        try:
            if led:
                self._place(led)
        except AuthorizationError:
            raise
        except KafkaError as error:
            self._retry_at_s = self._monotonic_s() + _RETRY_S
            self._membership.position_error = f"`{error}`"
            log.info("positions_unknown", error=type(error).__name__, cause=str(error))
            self._note_hidden(is_hidden=isinstance(error, UnstableOffsetCommitError))
        else:
            self._note_hidden(is_hidden=False)

    def _note_hidden(self, *, is_hidden: bool) -> None:
        """End what hides positions for longer than another replica's transaction can."""
        now_s = self._monotonic_s()
        if not is_hidden:
            self._hidden_since_s = None
        elif self._hidden_since_s is None:
            self._hidden_since_s = now_s
        elif now_s - self._hidden_since_s >= _HIDDEN_S:
            self._hidden_since_s = None
            self._end_left_open()

    def refused(self, partitions: Iterable[TopicPartition]) -> None:
        """Compare again: the broker or the client says that a position is not in the log.

        Where the log has only lost its beginning, what is in flight stays valid, and the partition goes on behind the
        gap. In any other case it starts over at the group's position.

        Raises:
            LostEventsError: events are lost, and that has to stop the process.
        """
        consumer = self._membership.consumer
        ours = {tp: position for tp in partitions if (position := position_of(consumer, tp)) is not None}
        try:
            found = self._compare({tp: Position(position.offset) for tp, position in ours.items()})
        except KafkaError:  # it is compared once more before anything else is read
            found = {}
        behind = {tp: each for tp, each in found.items() if [one.kind for one in each[1]] == ["events_lost"]}
        self._report(behind)
        for partition, (position, findings) in behind.items():
            self._membership.seek(partition, place_after(position, findings))
        self._membership.start_over(ours.keys() - behind.keys())

    def _has_leader(self, partition: TopicPartition) -> bool:
        """Check whether somebody can answer for it; the others must not wait for it."""
        if is_led(self._membership.consumer, partition):
            return True
        update_metadata(self._membership.consumer)
        return False

    def _place(self, unplaced: Mapping[TopicPartition, int]) -> None:
        consumer = self._membership.consumer
        stored = committed(consumer, unplaced, _ANSWER_S)
        logs = read_logs(consumer, {tp: read_position(stored[tp]).epoch if tp in stored else None for tp in unplaced})
        found = {tp: _found(read_position(each), logs[tp]) for tp, each in stored.items()}
        self._report(found)
        places = {tp: place_after(*each) for tp, each in found.items()}
        places |= {tp: logs[tp].beginning for tp in unplaced.keys() - stored.keys()}
        positions = {
            tp: found[tp][0]._replace(topic_id=logs[tp].topic_id)
            if tp in stored and stored[tp].offset == place
            else Position(place, logs[tp].leader_epoch, logs[tp].topic_id)
            for tp, place in places.items()
        }
        self._write_down(positions, stored)
        for partition, epoch in unplaced.items():
            if partition not in stored:
                log.info("partition_begins", partition=partition.partition, at=places[partition])
            self._membership.placed(partition, epoch, positions[partition])
            self._report_trial(partition, positions[partition])
            for counter in (self._events_lost, self._log_truncated):
                counter.labels(str(partition.partition))  # shown from now on, with 0

    def _compare(self, positions: Mapping[TopicPartition, Position]) -> Found:
        logs = read_logs(self._membership.consumer, {tp: position.epoch for tp, position in positions.items()})
        return {tp: _found(position, logs[tp]) for tp, position in positions.items()}

    def _write_down(
        self, positions: Mapping[TopicPartition, Position], stored: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        """Commit each position that differs from the stored one, before anything is read from there.

        A lower one must be known before the next commit is in doubt; and what is reported is reported once.
        """
        changed = {
            tp: position.written()
            for tp, position in positions.items()
            if tp not in stored or stored[tp].offset != position.offset
        }
        if changed:
            self._membership.consumer.commit(changed, timeout_ms=_ANSWER_S * 1_000)

    def _report_trial(self, partition: TopicPartition, position: Position) -> None:
        """Say that a process ended while it scored events of the partition."""
        if position.trial is not None:
            about = {"partition": partition.partition, "position": position.offset, "events": position.trial.events}
            log.warning("ended_while_scoring", **about, hint="they are scored in small windows, then one by one")

    def _report(self, found: Found) -> None:
        """Stop, or warn and count."""
        lost = {tp: each for tp, each in found.items() if any(one.is_loss for one in each[1])}
        if lost and self._on_lost_events == "stop":
            texts = [self._text(tp, position, one) for tp, (position, found) in lost.items() for one in found]
            raise LostEventsError("; ".join(texts))
        for partition, each in found.items():
            if self._reported.get(partition) != each:  # what could not be written down is found again
                self._reported[partition] = each
                for finding in each[1]:
                    self._warn(partition, each[0], finding)

    def _warn(self, partition: TopicPartition, position: Position, finding: Finding) -> None:
        label = str(partition.partition)
        about = {"partition": partition.partition, "position": position.offset}
        match finding.kind:
            case "events_lost":
                self._events_lost.labels(label).inc(finding.events)
                at_most = {"at_most": True} if self._holds_markers(partition) else {}
                log.warning("events_lost", **about, beginning=finding.place, events=finding.events, **at_most)
            case "log_truncated":
                self._log_truncated.labels(label).inc()
                log.warning("log_truncated", **about, now=finding.place, epoch=finding.epoch)
            case "topic_recreated":
                at_most = {"at_most": True} if self._holds_markers(partition) else {}
                log.warning("topic_recreated", **about, events=finding.events, **at_most)
            case "epoch_forgotten":
                log.info("epoch_forgotten", **about, hint="the log cannot be compared with it: reading goes on there")

    def _text(self, partition: TopicPartition, position: Position, finding: Finding) -> str:
        topic, number = partition
        most = "at most; " if self._holds_markers(partition) else ""
        return (
            f"topic `{topic}` partition {number}: the group's position is {position.offset}, but {finding.text} "
            f"({most}nothing was committed). Go on there with `MODERATOR_KAFKA__ON_LOST_EVENTS=continue`, or set the "
            "position with "
            f"`kafka-consumer-groups.sh --bootstrap-server BROKER --group {self._membership.group_id} "
            f"--topic {topic}:{number} --reset-offsets --to-offset {finding.place} --execute`"
        )


def _found(position: Position, log: PartitionLog) -> tuple[Position, list[Finding]]:
    return position, compare(position, log)
