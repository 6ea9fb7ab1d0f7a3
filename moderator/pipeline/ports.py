"""What the pipeline needs from outside: five small protocols.

`moderator.testing` implements them in memory, `stream`, `scoring` and `cache` on the real parts; one contract suite
runs on both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from moderator.events import Decision, ModelIdentity, Scores, Turn, Unscored
from moderator.pipeline.window import DecidedSpan, PolledBatch


class Source(Protocol):
    """Where records come from. One thread owns it."""

    @property
    def is_exhausted(self) -> bool:
        """No record will ever come again; always false for a topic."""
        ...

    def poll(self, timeout_ms: int) -> list[PolledBatch]:
        """Give what has arrived, waiting at most `timeout_ms` for the first record.

        Must be called every few seconds even while paused: it is the sign of life towards the group.

        Raises:
            UndecodableBatchError: the client cannot decode a batch; the text names topic, partition and offset.
        """
        ...

    def pause(self) -> None:
        """Give nothing more until `resume`; what was fetched ahead is kept. Newly assigned partitions are paused too."""
        ...

    def resume(self) -> None:
        """Undo `pause`."""
        ...

    def close(self) -> None:
        """Leave; commits nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """What became of one attempt to publish.

    Attributes:
        committed: spans whose outcomes and offsets are now both visible.
        left: spans to give to `publish` again, unchanged, after the next poll. A span in neither list belongs to
            another owner by now and is dropped.
    """

    committed: list[DecidedSpan]
    left: list[DecidedSpan]


class Sink(Protocol):
    """Where decisions and dead letters go, together with the consumed offsets. Same thread as the source."""

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make one bounded attempt to publish all outcomes and commit all offsets, in one transaction.

        Raises:
            TwinError: another process uses our identity.
            StoppedError: publishing can never succeed.
        """
        ...

    def close(self) -> None:
        """Release the producer; commits nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation as the model reads it.

    Attributes:
        token_ids: n >= 1 ids with every special token of the template.
        gate_row: index in `token_ids` where the last assistant header starts.
        truncated: turns or text were left out to fit.
        score_key: 64 hex digits over model fingerprint, dtype, maximum input tokens, framing and `token_ids`.
    """

    token_ids: tuple[int, ...]
    gate_row: int
    truncated: bool
    score_key: str


class Scorer(Protocol):
    """Turns conversations into scores. One thread owns it."""

    @property
    def identity(self) -> ModelIdentity:
        """Which model this is."""
        ...

    def render(self, conversations: Sequence[Sequence[Turn]]) -> list[Prompt]:
        """Frame, truncate and tokenize each conversation, in the order given; never fails on content."""
        ...

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Unscored]:
        """Score each prompt, in the order given; n >= 0.

        Raises:
            ScorerUnavailableError: the device failed; nothing was scored.
        """
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

    def put_many(self, decisions: Sequence[Decision]) -> None:
        """Keep the decisions' verdicts; an outage is counted, never raised."""
        ...


class Clock(Protocol):
    """Time as an argument."""

    def now_s(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        ...
