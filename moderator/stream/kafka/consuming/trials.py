"""Which events may have ended a process: what the group's positions say, and how it changes. Pure.

A partition is on trial from its assignment until it is caught up, or as many of its events are committed as may have
been in flight when its owner ended and no event of it is suspect any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moderator.events import Partition, PartitionSpan
from moderator.stream.kafka.consuming.position import Position, Trial


@dataclass(slots=True)
class _State:
    """One partition on trial.

    Attributes:
        events_left: how many are to be committed before its trial ends.
        suspects: how many of its next events may have ended a process.
        ends_alone: how often a process ended while it scored the next event alone.
    """

    events_left: int
    suspects: int = 0
    ends_alone: int = 0


class Trials:
    """The partitions on trial.

    The thread of Kafka's client calls `forget`, all else runs on the stream's.

    Args:
        most_events: how many events of one partition may have been in flight.
    """

    def __init__(self, most_events: int) -> None:
        self._most_events = most_events
        self._states: dict[Partition, _State] = {}

    @property
    def is_on(self) -> bool:
        """Any partition is on trial."""
        return bool(self._states)

    def begin(self, partition: Partition, position: Position) -> None:
        """Put a partition on trial where its position was taken over; what is found there makes its events suspects."""
        state = _State(self._most_events, position.suspects)
        if (trial := position.trial) is not None:
            # the process that wrote it ended while it scored these: the others are no suspects any more
            state.suspects = trial.events
            state.ends_alone = 0 if trial.ends_alone is None else trial.ends_alone + 1
        self._states[partition] = state

    def forget(self, partition: Partition) -> None:
        """Take a partition off that is not ours any more."""
        self._states.pop(partition, None)

    def forget_all(self) -> None:
        """Take all off."""
        self._states.clear()

    def committed(self, spans: Iterable[PartitionSpan[Any]]) -> None:
        """Note that these spans are committed."""
        for span in spans:
            state = self._states.get(span.partition)
            if state is not None and span.items:
                state.events_left -= len(span.items)
                state.suspects = max(0, state.suspects - len(span.items))
                state.ends_alone = 0
                if state.events_left <= 0 and not state.suspects:
                    self.forget(span.partition)

    def caught_up(self, partition: Partition) -> None:
        """Note that nothing of the partition is waiting or in flight: there are no suspects among what is to come."""
        self.forget(partition)

    @property
    def suspects(self) -> Mapping[Partition, int]:
        """How many of the next events of each partition are suspects; partitions without any are left out."""
        return {partition: state.suspects for partition, state in self._states.copy().items() if state.suspects}

    def ends_alone(self, partition: Partition) -> int:
        """Give how often a process ended while it scored the partition's next event alone."""
        state = self._states.get(partition)
        return 0 if state is None else state.ends_alone

    def marked(self, span: PartitionSpan[Any], position: Position, *, is_alone: bool) -> Position | None:
        """Give the position with the mark that this span is being scored; None where the partition is not on trial."""
        state = self._states.get(span.partition)
        if state is None or not span.items:
            return None
        trial = Trial(len(span.items), state.ends_alone if is_alone else None)
        return position._replace(trial=trial, suspects=state.suspects)

    def unmarked(self, partition: Partition, position: Position, committed_events: int = 0) -> Position:
        """Give the position without a mark, and with the suspects that are left once so many events are committed."""
        state = self._states.get(partition)
        suspects = 0 if state is None else max(0, state.suspects - committed_events)
        return position._replace(trial=None, suspects=suspects)
