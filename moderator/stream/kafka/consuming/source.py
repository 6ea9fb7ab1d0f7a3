"""Polls chat events from Kafka as a member of a consumer group."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from moderator.errors import GroupRefusesError, RightLostError, UndecodableBatchError
from moderator.events import Partition, PartitionSpan, PolledSpan, Record
from moderator.observability.health import Code
from moderator.observability.logging import get_logger
from moderator.stream.cloud_events import odd_headers
from moderator.stream.kafka.connection import MIN_UNSETTLED_POLL_MS, record_of
from moderator.stream.kafka.consuming.client_state import partition_in_line, take_pending_error
from moderator.stream.kafka.consuming.membership import Membership, fenced
from moderator.stream.kafka.consuming.placing import Placing
from moderator.stream.kafka.consuming.reading_watch import ReadingWatch
from moderator.stream.kafka.consuming.topic_watch import TopicWatch
from moderator.stream.kafka.consuming.twin_watch import SILENCE_S, TwinWatch
from moderator.stream.kafka.consuming.undecodable import UNDECODABLE, find_undecodable, skip_command

log = get_logger(__name__)

_REFUSALS_FORGOTTEN_S = 60.0
_RETRY_S = 1.0
_MOST_SPELLINGS = 50
_PASS_EVERY_S = 2.0


class KafkaSource:
    """`pipeline.ports.Source` over one topic. One thread owns it.

    Args:
        membership: shared with the sink; the first poll joins the group.
        placing: decides where assigned partitions go on.
        connect_reader: makes a consumer outside of any group, to find the batch that cannot be decoded.
        refusals_limit: how many consumers may fail, each within a minute of the one before.
    """

    def __init__(
        self,
        membership: Membership,
        placing: Placing,
        connect_reader: Callable[[], KafkaConsumer],
        *,
        refusals_limit: int = 5,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._membership = membership
        self._placing = placing
        self._topic_watch = TopicWatch(membership)
        self._reading_watch = ReadingWatch(membership, monotonic_s)
        self._twin_watch = TwinWatch(membership, monotonic_s)
        self._connect_reader = connect_reader
        self._refusals_limit = refusals_limit
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._refusals = 0
        self._refused_at_s = 0.0
        self._reported_headers: set[str] = set()
        self._passed_at_s = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Never: a topic has no end."""
        return False

    @property
    def assignment(self) -> frozenset[Partition]:
        """The partitions that are ours now."""
        return frozenset(Partition(*partition) for partition in self._membership.consumer.assignment())

    @property
    def lags(self) -> dict[Partition, int]:
        """Events not yet committed, by partition, as of a second ago."""
        return self._membership.lags

    @property
    def is_joined(self) -> bool:
        """The group is stable and we are a member, perhaps without a partition."""
        return self._membership.settled() is not None

    @property
    def last_answer_s(self) -> float:
        """When the broker last answered, in monotonic seconds, within three seconds."""
        return self._membership.last_answer_s

    @property
    def troubles(self) -> Mapping[Code, str]:
        """Why this replica is not ready, as source and sink noticed."""
        return dict(self._membership.troubles)

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        """Give what has arrived; see `pipeline.ports.Source`.

        Raises:
            UndecodableBatchError: the client cannot decode a batch that the broker holds.
            FencedError: another process uses our instance id.
            LostEventsError: events are lost, and that has to stop the process.
            GroupRefusesError, RightLostError: the group has refused us several times.
        """
        self._stop_if_broken()
        self._membership.keep_paused()
        self._membership.keep_joining()
        try:
            polled = self._membership.consumer.poll(max(timeout_ms, self._min_poll_ms()))
            self._placing.place()
        except UNDECODABLE as error:
            self._note_broken(partition_in_line(self._membership.consumer), error)
            return []
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            self._compare_again(error)
            return []
        except KafkaError as error:
            self._rejoin(error)
            return []
        if (pending := take_pending_error(self._membership.consumer, UNDECODABLE)) is not None:
            self._note_broken(*pending)
        positions = self._membership.positions()
        spans = [self._span(partition, records, positions.get(partition)) for partition, records in polled.items()]
        spans += self._passed(positions)
        if self._membership.refresh():
            self._watch()
        if self._refusals and self._monotonic_s() - self._refused_at_s > _REFUSALS_FORGOTTEN_S:
            self._refusals = 0
        return spans

    def pause(self) -> None:
        """Give nothing until `resume`."""
        self._membership.is_paused = True
        self._membership.keep_paused()

    def resume(self) -> None:
        """Undo `pause`."""
        self._membership.is_paused = False
        self._membership.keep_paused()

    def close(self) -> None:
        """Leave the group; commits nothing."""
        self._membership.close()

    def _min_poll_ms(self) -> int:
        """Wait longer while the group rebalances: shorter polls would not join it, and nothing can be published."""
        return 0 if self.is_joined else MIN_UNSETTLED_POLL_MS

    def _span(self, partition: TopicPartition, polled: list[Any], position: OffsetAndMetadata | None) -> PolledSpan:
        records = [record_of(each) for each in polled]
        last = records[-1]
        for record in records:
            if record.headers:
                self._report_odd_headers(record)
        if position is not None and position.offset > last.offset:  # it may have read markers after the last record
            return self._polled(partition, records, position.offset, position.leader_epoch)
        return self._polled(partition, records, last.offset + 1, last.leader_epoch)

    def _passed(self, positions: Mapping[TopicPartition, OffsetAndMetadata]) -> list[PolledSpan]:
        """Every 2 s, give spans without records for what the client has passed since the last commit: see `InFlight`.

        They are committed as any other, so that every measure of lag from outside reaches zero.
        """
        now_s = self._monotonic_s()
        if self._membership.is_paused or now_s - self._passed_at_s < _PASS_EVERY_S:
            return []
        self._passed_at_s = now_s
        return [
            self._polled(partition, [], position.offset, position.leader_epoch)
            for partition, position in positions.items()
            if self._membership.in_flight.is_passed(Partition(*partition), position.offset)
        ]

    def _polled(
        self, partition: TopicPartition, records: list[Record], next_offset: int, leader_epoch: int
    ) -> PolledSpan:
        # The client assigns no partition again while it returns records, so this is the epoch of the poll.
        assignment_epoch = self._membership.assignment_epoch(partition)
        span = PartitionSpan(Partition(*partition), assignment_epoch, next_offset, records, leader_epoch)
        self._membership.in_flight.polled(span)
        return span

    def _watch(self) -> None:
        """Notice what neither client nor broker reports."""
        self._topic_watch.check()
        self._reading_watch.check()
        if self._twin_watch.is_put_out():
            if self._membership.is_static:
                raise fenced()
            self._rejoin(UnknownMemberIdError(f"no heartbeat was answered for {SILENCE_S:g} s"))

    def _compare_again(self, error: OffsetOutOfRangeError | LogTruncationError) -> None:
        is_truncated = isinstance(error, LogTruncationError)
        refused = error.divergent_offsets if is_truncated else error.args[0]
        log.info("position_refused", partitions=sorted(tp.partition for tp in refused), error=type(error).__name__)
        self._placing.refused(refused)

    def _report_odd_headers(self, record: Record) -> None:
        """Warn once of each spelling of a CloudEvents header that is not read."""
        for name, should_be in odd_headers(record.headers).items():
            if name not in self._reported_headers and len(self._reported_headers) < _MOST_SPELLINGS:
                self._reported_headers.add(name)
                hint = f"call it `{should_be}` and add `ce_specversion`: the event was judged as plain JSON without it"
                log.warning("odd_cloudevents_headers", header=name, should_be=should_be, hint=hint)

    def _note_broken(self, partition: TopicPartition | None, error: Exception) -> None:
        """Read no further there; what was read before it is published first, so that the way past it loses nothing."""
        if partition is None:
            self._stop_if_undecodable(error)
        else:
            self._membership.broken[partition] = error

    def _stop_if_broken(self) -> None:
        for partition, error in list(self._membership.broken.items()):
            if not self._membership.in_flight.count(Partition(*partition)):
                self._stop_if_undecodable(error)

    def _stop_if_undecodable(self, error: Exception) -> None:
        """Stop where a new consumer cannot decode it either; otherwise it was damaged in transit: read it again."""
        try:
            positions = {partition: at.offset for partition, at in self._membership.positions().items()}
            found = find_undecodable(self._connect_reader, positions)
        except KafkaError:
            found = None
        if found is None:
            # do not seek back: this consumer would loop without end inside its poll
            self._rejoin(error)
            return
        topic, number = found.partition
        raise UndecodableBatchError(
            f"topic `{topic}` partition {number} offset {found.offset} cannot be decoded ({type(error).__name__}): "
            f"stop every replica, then skip it with `{skip_command(found, self._membership.group_id)}`"
        ) from error

    def _rejoin(self, error: Exception) -> None:
        log.warning("consumer_replaced", error=type(error).__name__, cause=str(error))
        if isinstance(error, FencedInstanceIdError):
            raise fenced() from error
        if self._refusals >= self._refusals_limit:
            refused = RightLostError if isinstance(error, AuthorizationError) else GroupRefusesError
            raise refused(f"the consumer group refuses us: `{error}`") from error
        try:
            self._membership.rejoin()
        except KafkaError as unreachable:  # no exit while the broker is away: the next poll tries again
            log.warning("kafka_unreachable", error=type(unreachable).__name__)
            self._sleep(_RETRY_S)  # that poll will not wait, since its consumer is closed
        else:
            self._refusals += 1
            self._refused_at_s = self._monotonic_s()
