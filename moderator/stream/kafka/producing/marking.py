"""Writes down which events are being scored while their partition is on trial, and that they have been.

It is a plain commit of unchanged positions. No transaction of ours is open meanwhile, since windows do not overlap, so
nothing is moved back. INVARIANT: a position is the one that was taken over or committed, never one asked for just now:
right after a transaction's end the broker may still answer with the one before it.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from moderator.events import Partition, PartitionSpan
from moderator.observability.logging import get_logger
from moderator.stream.kafka.consuming.client_state import must_rejoin
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.consuming.position import Position
from moderator.stream.kafka.producing.delivery import stop_if_permanent
from moderator.stream.kafka.producing.failure_budget import FailureBudget

log = get_logger(__name__)

_ANSWER_S = 1.0
CONDEMNED_AT = 2
"""An event that has ended the process so often while it was scored alone is not scored again."""


class Marking:
    """`pipeline.ports.Trials` of one membership. Same thread as source and sink.

    Args:
        membership: whose partitions are on trial.
        failure_budget: limits how long marks may fail to be written.
    """

    def __init__(self, membership: Membership, failure_budget: FailureBudget) -> None:
        self._membership = membership
        self._failure_budget = failure_budget
        self._marked: list[PartitionSpan[Any]] = []

    @property
    def is_on(self) -> bool:
        """A partition of ours is on trial."""
        return self._membership.trials.is_on

    @property
    def suspects(self) -> Mapping[Partition, int]:
        """How many of the next events of each partition may have ended a process."""
        return self._membership.trials.suspects

    def is_condemned(self, partition: Partition) -> bool:
        """The partition's next event has ended the process twice while it was scored alone."""
        return self._membership.trials.ends_alone(partition) >= CONDEMNED_AT

    def begin(self, spans: Sequence[PartitionSpan[Any]], *, is_alone: bool) -> bool:
        """Write down that these spans are scored now; false: ask again after the next poll.

        Raises:
            FencedError: another process uses our instance id.
            StoppedError: it can never be written.
        """
        if self._failure_budget.is_backing_off or self._membership.settled() is None:
            return False
        trials, held = self._membership.trials, self._membership.held
        owned = self._membership.owned(spans)
        marked = {
            TopicPartition(*span.partition): position
            for span in owned
            if (position := trials.marked(span, held[span.partition], is_alone=is_alone))
        }
        if not marked:
            return True
        try:
            self._commit(marked)
        except KafkaError as error:
            stop_if_permanent(error)
            self._failure_budget.failed(error, "mark")
            return False
        self._marked = [span for span in owned if TopicPartition(*span.partition) in marked]
        return True

    def end(self) -> None:
        """Write down that they are scored; a failure is passed over: it makes suspects of events that are none."""
        marked, self._marked = self._marked, []
        if not marked or self._membership.settled() is None:
            return
        trials, held = self._membership.trials, self._membership.held
        with contextlib.suppress(KafkaError):
            owned = [span.partition for span in self._membership.owned(marked)]
            self._commit({TopicPartition(*each): trials.unmarked(each, held[each]) for each in owned})

    def before_poll(self) -> None:
        """Take the mark back before the group is rearranged: whoever gets the partition would blame its events.

        The group's coordinator accepts it until the poll joins again. Suspects stay suspects.
        """
        if self._marked and must_rejoin(self._membership.consumer):
            self.end()

    def _commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        if positions:
            written = {each: position.written() for each, position in positions.items()}
            self._membership.consumer.commit(
                written, timeout_ms=self._failure_budget.timeout_factor * _ANSWER_S * 1_000
            )
