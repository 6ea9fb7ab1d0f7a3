"""What the pipeline needs from outside: six small protocols.

`moderator.testing` implements them in memory; `stream`, `scoring` and `cache` implement them for real. One contract
suite runs on both.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from moderator.events import (
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    EventReading,
    ModelIdentity,
    Partition,
    PartitionSpan,
    PolledSpan,
    Prompt,
    Published,
    Record,
    Rejection,
    Scores,
    Turn,
    Unscored,
)
from moderator.scoring.interactive import InteractiveTexts


class Source(Protocol):
    """Where records come from. One thread owns it."""

    @property
    def is_exhausted(self) -> bool:
        """No more records will ever come; always false for a topic."""
        ...

    def poll(self, timeout_ms: int) -> list[PolledSpan]:
        """Give what has arrived, waiting at most `timeout_ms` for the first record.

        Must be called every few seconds even while paused: it shows the group that this member is alive.

        Raises:
            UndecodableBatchError: the client cannot decode a batch; the text names topic, partition and offset.
        """
        ...

    def pause(self) -> None:
        """Give nothing until `resume`; what was fetched ahead is kept, and newly assigned partitions are paused too."""
        ...

    def resume(self) -> None:
        """Undo `pause`."""
        ...

    def close(self) -> None:
        """Leave the group; commits nothing."""
        ...


class Sink(Protocol):
    """Where decisions and dead letters go, together with the consumed offsets. Same thread as the source."""

    def reject_oversized(self, record: Record, decision: EncodedDecision) -> DeadLetter | None:
        """Give the dead letter that replaces a decision too large to be published; None for nearly all."""
        ...

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one bounded attempt to publish all outcomes and commit all offsets, in one transaction.

        Raises:
            FencedError: another process uses our instance id or transactional id.
            StoppedError: publishing can never succeed.
        """
        ...

    def close(self) -> None:
        """Release the producer; commits nothing."""
        ...


class Scorer(Protocol):
    """Turns conversations into scores. One thread owns it."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        ...

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
        """Frame, divide and tokenize each event's conversation, in the order given; never fails because of content."""
        ...

    def score(self, prompts: Sequence[Prompt], interactive: InteractiveTexts | None = None) -> list[Scores | Unscored]:
        """Score each prompt, in the order given; n >= 0; interactive texts that wait share the passes.

        Raises:
            ScorerUnavailableError: the device failed; nothing was scored.
        """
        ...


class InteractiveWork(InteractiveTexts, Protocol):
    """Interactive texts, as a window meets them."""

    @property
    def spent_s(self) -> float:
        """Seconds of the device that they have taken so far."""
        ...

    def serve(self) -> None:
        """Score all that wait, in passes of their own.

        Raises:
            ScorerUnavailableError: the device failed.
        """
        ...

    def hold(self) -> None:
        """Score none of them until `release`, except for a pass that has started; the stream's thread calls both."""
        ...

    def release(self) -> None:
        """Undo `hold`."""
        ...

    def give_way(self) -> None:
        """Wait until nobody waits for an answer, 20 ms at most; the stream's thread calls it every few milliseconds.

        Each operation of a pass needs the interpreter for a moment. Beside a thread that keeps it, a pass takes ten
        times as long.
        """
        ...


class Trials(Protocol):
    """Which events may have ended a process, as the group's positions say. Same thread as source and sink."""

    @property
    def is_on(self) -> bool:
        """A partition of ours is on trial: windows must not overlap."""
        ...

    @property
    def suspects(self) -> Mapping[Partition, int]:
        """How many of the next events of each partition may have ended a process; without any it is left out."""
        ...

    def is_condemned(self, partition: Partition) -> bool:
        """The partition's next event has ended the process twice while it was scored alone: it must not be scored."""
        ...

    def begin(self, spans: Sequence[PartitionSpan[Any]], *, is_alone: bool) -> bool:
        """Write down that these spans are scored now; false: ask again after the next poll.

        Args:
            spans: one window, of which something is scored; nothing else is in flight.
            is_alone: it is a single event, and nothing else is on the device.

        Raises:
            FencedError: another process uses our instance id.
            StoppedError: it can never be written.
        """
        ...

    def before_poll(self) -> None:
        """Take back what `begin` has written, if by the next poll another process may go on with the partition."""
        ...

    def end(self) -> None:
        """Write down that they are scored, where `begin` has marked any; a failure is passed over."""
        ...


class ScoreCache(Protocol):
    """Scores by score key; never trusted for correctness. The scoring thread owns it."""

    def get_many(self, keys: Sequence[str]) -> list[Scores | None]:
        """Look up each key, in the order given; a miss, an outage and a damaged value are all None. Never raises."""
        ...

    def put_many(self, scores: Mapping[str, Scores]) -> None:
        """Keep the scores; an outage is counted, never raised."""
        ...


class VerdictCache(Protocol):
    """What became of an event, by tenant and id, for chat back ends. The stream's thread owns it."""

    def put_many(self, outcomes: Sequence[EncodedDecision | Rejection]) -> None:
        """Keep the last decision of each event; a rejection only where nothing is kept. An outage is counted."""
        ...


class Clock(Protocol):
    """Time as an argument."""

    def now_s(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        ...
