"""The group of one run over a range: it has no members, and keeps nothing but the run's positions.

INVARIANT: only the run's transactional id keeps a second process out. Positions are therefore written in transactions
alone, also the first ones, and read only after the id was claimed.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from moderator.errors import FencedError
from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.stream.kafka.consuming.client_state import committed
from moderator.stream.kafka.replaying.run_position import RunPosition

if TYPE_CHECKING:
    from moderator.observability.health import Code

_NONE = -1
_ANSWER_S = 1.0


class RunGroup:
    """`producing.delivery.Group` of one run. One thread owns it.

    Args:
        consumer: reads the positions of the run's group; closed by `close`.
        name: of the group, and of the transactional id.

    Attributes:
        positions: what is written down, by partition; empty until the run has started.
        refuses_others: only the transactional id does, and who starts a new producer takes it back.
    """

    def __init__(self, consumer: KafkaConsumer, name: str) -> None:
        self._consumer = consumer
        self.name = name
        self.positions: dict[Partition, RunPosition] = {}
        self._beginning: Mapping[Partition, RunPosition] = {}
        self._attempted: dict[Partition, int] = {}
        self.troubles: dict[Code, str] = {}
        self.heartbeat_ok = True
        self.refuses_others = False

    def stored(self, partitions: Sequence[Partition], timeout_s: float) -> dict[Partition, RunPosition | None]:
        """Give what is written down of the partitions; None where it is not of a run. Those without are left out.

        Raises:
            KafkaError: no answer.
        """
        found = committed(self._consumer, [TopicPartition(*each) for each in partitions], timeout_s)
        return {Partition(*each): RunPosition.read(position) for each, position in found.items()}

    def begin(self, positions: Mapping[Partition, RunPosition]) -> list[DecidedSpan]:
        """Give what has to be published, without a record, so that these positions are written down."""
        self._beginning = positions
        return [PartitionSpan(partition, 0, position.offset, []) for partition, position in positions.items()]

    def settled(self) -> ConsumerGroupMetadata:
        """Give the group alone: there are no members."""
        return ConsumerGroupMetadata(self.name)

    def owned(self, spans: Sequence[DecidedSpan]) -> list[DecidedSpan]:
        """Give all: nobody else may take them."""
        return list(spans)

    def committed(self, partition: Partition, timeout_s: float) -> int:
        """Ask for the position; -1 without one.

        Raises:
            FencedError: it is none that this process has written or tried to write.
            KafkaError: no answer.
        """
        found = self.stored([partition], timeout_s).get(partition)
        offset = _NONE if found is None else found.offset
        known = self.positions[partition].offset if partition in self.positions else _NONE
        if offset not in {known, self._attempted.get(partition, known)}:
            raise FencedError(f"another process continues the run `{self.name}`: this one ends")
        return offset

    def next_offsets(self, spans: Sequence[DecidedSpan]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Give what to commit, by partition."""
        self._attempted = {span.partition: span.next_offset for span in spans}
        return {TopicPartition(*span.partition): self._next(span).written(span.leader_epoch) for span in spans}

    def note_committed(self, spans: Sequence[DecidedSpan]) -> None:
        """Note that these spans are committed."""
        self.positions |= {span.partition: self._next(span) for span in spans}

    @property
    def broker_responding(self) -> bool:
        """A broker answers when it is asked now; it is asked after a failure only."""
        try:
            self._consumer.beginning_offsets(
                [TopicPartition(*each) for each in self.positions or self._beginning][:1], timeout_ms=_ANSWER_S * 1_000
            )
        except KafkaError:
            return False
        return True

    def close(self) -> None:
        """Close the consumer; commits nothing."""
        self._consumer.close(autocommit=False)

    def _next(self, span: DecidedSpan) -> RunPosition:
        fixed = self.positions.get(span.partition) or self._beginning[span.partition]
        return fixed._replace(offset=span.next_offset)
