"""Our membership of the consumer group: what we own, since when, and whether the group is stable.

Source and sink share it; one thread owns both. Kafka's client calls the listener on a thread of its own, so the
listener only changes state.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, MemberState, OffsetAndMetadata

from moderator.errors import FencedError
from moderator.events import DecidedSpan, Item, Partition, PartitionSpan
from moderator.observability.logging import get_logger
from moderator.observability.metrics import Metrics
from moderator.settings import WindowSettings
from moderator.stream.kafka.connection import free_broken_connections
from moderator.stream.kafka.consuming.client_state import committed, position_of, restore_epochs
from moderator.stream.kafka.consuming.in_flight import InFlight
from moderator.stream.kafka.consuming.position import Position
from moderator.stream.kafka.consuming.trials import Trials

if TYPE_CHECKING:
    from moderator.observability.health import Code

log = get_logger(__name__)

_REFRESH_EVERY_S = 1.0
_ANSWER_MS = 100
TRIAL_EVENTS = 2 * WindowSettings().max_events
"""How many events of one partition may be in flight, where windows have their usual size."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """One member of the group, with the id that the broker gave it.

    Args:
        connect: makes the consumer, not yet subscribed; called again by `rejoin`.
        topic: what to subscribe to; the group is joined by the first poll.
        metrics: where changes of what we own are counted.
        trial_events: how many events of one partition may have been in flight when its owner ended.

    Attributes:
        troubles: why this replica is not ready, as far as only Kafka's client knows: code and reason. Source and sink
            put one in when it begins and remove it when it has ended.
        refuses_others: the group's generation does.
        topic_ids: which topic each partition belonged to when it was placed.
        held: each partition's position, as it was taken over or committed last.
        trials: the partitions whose events may end the process.
        broken: partitions with a batch that the client cannot decode; they are not read on, see `KafkaSource`.
        position_error: why a partition could not be placed when it was tried last.
    """

    def __init__(
        self,
        connect: Callable[[], KafkaConsumer],
        topic: str,
        metrics: Metrics,
        trial_events: int = TRIAL_EVENTS,
    ) -> None:
        self._connect = connect
        self._metrics = metrics
        self.topic = topic
        self._assignment_epochs: Counter[TopicPartition] = Counter()
        self._unplaced: dict[TopicPartition, int] = {}
        self.broken: dict[TopicPartition, Exception] = {}
        self.position_error = "nobody was asked yet"
        self.topic_ids: dict[TopicPartition, str | None] = {}
        self.held: dict[Partition, Position] = {}
        self.trials = Trials(trial_events)
        self.in_flight = InFlight()
        self._lags: dict[Partition, int] = {}
        self._refreshed_at_s = 0.0
        self._last_answer_s = time.monotonic()
        self.is_paused = False
        self.troubles: dict[Code, str] = {}
        self.refuses_others = True
        self.consumer = self._subscribed()

    def _subscribed(self) -> KafkaConsumer:
        self.consumer = self._connect()
        self.consumer.subscribe([self.topic], listener=self)
        self._response_rate = _metric(self.consumer, "consumer-metrics", "response-rate")
        self._heartbeat_rate = _metric(self.consumer, "consumer-coordinator-metrics", "heartbeat-rate")
        return self.consumer

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Start a new assignment of each partition."""
        self._count_change(assigned)
        self.start_over(assigned)
        log.info("partitions_assigned", partitions=sorted(tp.partition for tp in assigned))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Log it; the client knows what we own and has given them up by now."""
        self._count_change(revoked)
        self._end_trials(revoked)
        log.info("partitions_revoked", partitions=sorted(tp.partition for tp in revoked))

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        """Log it; without this method the client would call it a revocation."""
        self._count_change(lost)
        self._end_trials(lost)
        self._metrics.partitions_lost.inc(len(lost))
        log.warning("partitions_lost", partitions=sorted(tp.partition for tp in lost))

    def _end_trials(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self.trials.forget(Partition(*partition))

    def _count_change(self, partitions: Collection[TopicPartition]) -> None:
        if partitions:  # the client also reports that nothing was added
            self._metrics.rebalances.inc()

    def start_over(self, partitions: Iterable[TopicPartition]) -> None:
        """Let what is in flight of these partitions count no more, and read nothing of them until they are placed.

        INVARIANT: the client never chooses an offset. It is given one at once, any, so that it looks for none; and the
        partition is paused until `placed` gives the right one.
        """
        self._assignment_epochs.update(partitions)
        for partition in partitions:
            self.in_flight.forget(Partition(*partition))
            self.trials.forget(Partition(*partition))
            self.broken.pop(partition, None)
            self._unplaced[partition] = self._assignment_epochs[partition]
            if self.seek(partition, 0):
                self.consumer.pause(partition)

    def seek(self, partition: TopicPartition, offset: int) -> bool:
        """Read on from there; false where the partition is not ours any more."""
        with contextlib.suppress(ValueError):
            self.consumer.seek(partition, offset)
            return True
        return False

    @property
    def unplaced(self) -> dict[TopicPartition, int]:
        """The partitions of ours whose position is not known yet, each with its assignment epoch."""
        assignment = self.consumer.assignment()
        return {partition: epoch for partition, epoch in self._unplaced.copy().items() if partition in assignment}

    def placed(self, partition: TopicPartition, assignment_epoch: int, position: Position) -> None:
        """Read a partition from its position on, unless it was taken away or assigned again meanwhile."""
        if self._unplaced.get(partition) == assignment_epoch and self.seek(partition, position.offset):
            ours = Partition(*partition)
            self.in_flight.begin(ours, position.offset)
            self.topic_ids[partition] = position.topic_id
            self.held[ours] = position
            self.trials.begin(ours, position)
            del self._unplaced[partition]

    def rejoin(self) -> None:
        """Replace the consumer: the old one cannot be used any more. All assignments start again.

        Raises:
            KafkaError: the broker does not answer.
        """
        self.close()
        self.trials.forget_all()
        self.broken.clear()
        self.consumer = self._subscribed()

    def settled(self) -> ConsumerGroupMetadata | None:
        """Give our complete identity in the group; None while the group rebalances.

        INVARIANT: nothing is committed with less than this. While the group exists the broker accepts offsets from a
        member without an id, for any partition, and moves them.
        """
        group = self.consumer.group_metadata()
        if group.state != MemberState.STABLE or group.generation_id < 0 or not group.member_id:
            return None
        return group

    def owned(self, spans: Iterable[PartitionSpan[Item]]) -> list[PartitionSpan[Item]]:
        """Keep the spans whose partition has been ours without a break since it was polled."""
        assignment = self.consumer.assignment()
        return [
            span
            for span in spans
            if span.partition in assignment and self._assignment_epochs[span.partition] == span.assignment_epoch
        ]

    def assignment_epoch(self, partition: TopicPartition) -> int:
        """Give how often we have been assigned the partition."""
        return self._assignment_epochs[partition]

    def committed(self, partition: Partition, timeout_s: float) -> int:
        """Ask the broker for the committed offset; 0 without one.

        Raises:
            KafkaError: no answer, or a transaction that is still open hides it.
        """
        asked = TopicPartition(*partition)
        found = committed(self.consumer, [asked], timeout_s).get(asked)
        return 0 if found is None else int(found.offset)

    def next_offsets(self, spans: Iterable[DecidedSpan]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Give what to commit, by partition; where one has several spans, the last one's."""
        return {TopicPartition(*span.partition): self._next_position(span).written() for span in spans}

    def note_committed(self, spans: Iterable[DecidedSpan]) -> None:
        """Note that these spans are committed."""
        spans = list(spans)
        self.in_flight.committed(spans)
        self.held |= {span.partition: self._next_position(span) for span in spans}
        self.trials.committed(spans)

    def _next_position(self, span: DecidedSpan) -> Position:
        epoch = span.leader_epoch if span.leader_epoch >= 0 else None
        position = Position(span.next_offset, epoch, self.topic_ids.get(TopicPartition(*span.partition)))
        return self.trials.unmarked(span.partition, position, len(span.items)) if self.trials.is_on else position

    def positions(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Give the offset to read next, with the epoch of what was read last, of each partition that is placed."""
        placed = self.consumer.assignment() - self._unplaced.keys()
        restore_epochs(self.consumer, placed)
        known = {partition: position_of(self.consumer, partition) for partition in placed}
        return {partition: position for partition, position in known.items() if position is not None}

    def keep_paused(self) -> None:
        """Set the client's flags as `is_paused` says; what is not placed, or broken, stays paused."""
        assignment, paused = self.consumer.assignment(), self.consumer.paused()
        wanted = assignment if self.is_paused else assignment & (self._unplaced.keys() | self.broken.keys())
        with contextlib.suppress(KeyError):  # one of them was revoked just now: the next call does it
            if wanted - paused:
                self.consumer.pause(*wanted - paused)
            if paused - wanted:
                self.consumer.resume(*paused - wanted)

    def keep_joining(self) -> None:
        """Make the next poll continue a join that a poll has started; without this the client may never finish it.

        A leader joins again when the topic has new partitions. That reason ends as soon as it has assigned them. If
        the poll ends before the broker's last answer arrives, the client (3.0) does not wait for it any more: it stays
        between two generations, sends no heartbeats, and loses its membership without an error.
        """
        if self.consumer.group_metadata().state == MemberState.REBALANCING:
            self.consumer._coordinator.request_rejoin()  # noqa: SLF001 - the client has no public way to ask

    def refresh(self) -> bool:
        """Once a second, note how large the lag is; return whether it was done now."""
        now_s = time.monotonic()
        if now_s - self._refreshed_at_s < _REFRESH_EVERY_S:
            return False
        self._refreshed_at_s = now_s
        if not self.broker_responding:
            free_broken_connections()
        self._lags = self._count_lags()
        for partition in [each for each, lag in self._lags.items() if not lag] if self.trials.is_on else ():
            self.trials.caught_up(partition)
        return True

    @property
    def group_id(self) -> str:
        """The group's name."""
        return str(self.consumer.group_metadata().group_id)

    @property
    def is_static(self) -> bool:
        """Our instance has a name, which another process may use by mistake."""
        return self.consumer.group_metadata().group_instance_id is not None

    @property
    def broker_responding(self) -> bool:
        """The broker has answered a request within the last three seconds."""
        return bool(self._response_rate.value() > 0)

    @property
    def last_answer_s(self) -> float:
        """When the broker last answered, as far as anybody has asked: monotonic seconds, within three seconds."""
        if self.broker_responding:
            self._last_answer_s = time.monotonic()
        return self._last_answer_s

    @property
    def lags(self) -> dict[Partition, int]:
        """Events not yet committed, for each partition that we own and know the end of, as of a second ago."""
        return self._lags

    @property
    def heartbeat_ok(self) -> bool:
        """The broker has answered one of our heartbeats within the last three seconds."""
        return bool(self._heartbeat_rate.value() > 0)

    def close(self) -> None:
        """Leave the group; commits nothing."""
        with contextlib.suppress(KafkaError):  # the group removes us after the session timeout instead
            self.consumer.close(autocommit=False, timeout_ms=1_000)

    def _count_lags(self) -> dict[Partition, int]:
        positions, ends = self.positions(), self._ends()
        counted = {Partition(*tp): ends[tp] - position.offset for tp, position in positions.items() if tp in ends}
        return {partition: max(0, ahead) + self.in_flight.count(partition) for partition, ahead in counted.items()}

    def _ends(self) -> dict[TopicPartition, int]:
        """Give the end of each partition as of the last fetch; ask the broker where we are paused and do not fetch."""
        assignment, paused = self.consumer.assignment(), self.consumer.paused()
        ends = {tp: self._known_end(tp) for tp in assignment}
        if paused and self.broker_responding:
            with contextlib.suppress(KafkaError):
                ends |= self.consumer.end_offsets(list(paused & assignment), timeout_ms=_ANSWER_MS)
        return {tp: end for tp, end in ends.items() if end is not None}

    def _known_end(self, partition: TopicPartition) -> int | None:
        try:
            end: int | None = self.consumer.highwater(partition)
        except KafkaError:  # revoked just now
            return None
        return end


def fenced() -> FencedError:
    """Say what happened and what to do."""
    return FencedError(
        "another process uses our instance id: give every replica its own `MODERATOR_KAFKA__INSTANCE_ID`, or none"
    )


def _metric(consumer: KafkaConsumer, group: str, name: str) -> Any:
    """Find one gauge of the client by name; to read it is cheap."""
    return next(metric for key, metric in consumer.metrics(raw=True).items() if key.group == group and key.name == name)
