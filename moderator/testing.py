"""Doubles of the pipeline's ports, in memory: for our tests and for those of anyone who builds on us.

The contract suites hold each to the same behaviour as the real part.
"""

import hashlib
from collections.abc import Callable, Sequence

from moderator.errors import ModeratorError
from moderator.events import (
    DeadLetter,
    DecidedSpan,
    EncodedDecision,
    EventReading,
    ModelIdentity,
    Partition,
    PartitionSpan,
    Passage,
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


class ManualClock:
    """Time that moves only by `advance`."""

    def __init__(self, start_s: float = 1_790_000_000.0) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """Seconds since the epoch."""
        return self._now_s

    def monotonic_s(self) -> float:
        """The same seconds; they only grow."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds


class InMemoryLog:
    """Topics, partitions and one group's committed offsets: what a broker would hold."""

    def __init__(self) -> None:
        self.records: dict[Partition, list[Record]] = {}
        self.committed: dict[Partition, int] = {}
        self.outcomes: list[tuple[Record, EncodedDecision | DeadLetter]] = []

    def append(
        self, value: bytes | None, *, topic: str = "chat.events", partition: int = 0, key: bytes | None = None
    ) -> Record:
        """Add a record at the end of a partition."""
        log = self.records.setdefault(Partition(topic, partition), [])
        record = Record(topic, partition, len(log), 1_790_000_000_000, key, value)
        log.append(record)
        return record


class InMemorySource:
    """Reads an `InMemoryLog` from the committed offsets; `is_finite` ends it where the log ends."""

    def __init__(self, log: InMemoryLog, *, records_per_poll: int = 100, is_finite: bool = True) -> None:
        self._log = log
        self._records_per_poll = records_per_poll
        self._is_finite = is_finite
        self._positions: dict[Partition, int] = {}
        self._is_paused = False
        self.assignment_epochs: dict[Partition, int] = {}
        self.is_closed = False
        for partition in log.records:
            self.assign(partition)

    @property
    def is_exhausted(self) -> bool:
        """Everything was given once."""
        at_end = all(len(self._log.records[p]) <= position for p, position in self._positions.items())
        return self._is_finite and at_end

    def assign(self, partition: Partition) -> None:
        """Own a partition (again): its assignment epoch grows and reading starts at the committed offset."""
        self.assignment_epochs[partition] = self.assignment_epochs.get(partition, 0) + 1
        self._positions[partition] = self._log.committed.get(partition, 0)

    def revoke(self, partition: Partition) -> None:
        """Stop owning a partition."""
        del self._positions[partition]

    def owns(self, partition: Partition, assignment_epoch: int) -> bool:
        """Check whether the partition has been owned without a break since that epoch."""
        return partition in self._positions and self.assignment_epochs[partition] == assignment_epoch

    def poll(self, timeout_ms: int) -> list[PolledSpan]:  # noqa: ARG002 - nothing to wait for
        """Give the next records of every owned partition."""
        if self._is_paused:
            return []
        spans = [self._next_span(partition) for partition in self._positions]
        return [span for span in spans if span.items]

    def pause(self) -> None:
        """Give nothing until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self._is_paused = False

    def close(self) -> None:
        """Leave."""
        self.is_closed = True

    def _next_span(self, partition: Partition) -> PolledSpan:
        start = self._positions[partition]
        records = self._log.records[partition][start : start + self._records_per_poll]
        self._positions[partition] = start + len(records)
        return PartitionSpan(partition, self.assignment_epochs[partition], start + len(records), records)


class InMemorySink:
    """Publishes into an `InMemoryLog`, atomically.

    Args:
        failures: how many attempts fail first, to be tried again.
        limit_bytes: larger decisions are rejected.
    """

    def __init__(
        self,
        log: InMemoryLog,
        source: InMemorySource | None = None,
        *,
        failures: int = 0,
        limit_bytes: int = 1_000_000,
    ) -> None:
        self._log = log
        self._limit_bytes = limit_bytes
        self._source = source
        self._failures = failures
        self.attempts = 0
        self.is_closed = False

    def reject_oversized(self, record: Record, decision: EncodedDecision) -> DeadLetter | None:  # noqa: ARG002 - a port's signature
        """Reject what is over the limit."""
        is_large = len(decision.value) > self._limit_bytes
        return DeadLetter("too_large", "the decision is too large") if is_large else None

    def publish(self, spans: list[DecidedSpan]) -> Published:
        """Make outcomes and offsets visible together, for the partitions that are still owned."""
        self.attempts += 1
        owned = [
            span for span in spans if self._source is None or self._source.owns(span.partition, span.assignment_epoch)
        ]
        if self.attempts <= self._failures:
            return Published(committed=[], retry=owned)
        for span in owned:
            self._log.outcomes.extend(span.items)
            self._log.committed[span.partition] = span.next_offset
        return Published(committed=owned, retry=[])

    def close(self) -> None:
        """Release nothing."""
        self.is_closed = True


class ScriptedScorer:
    """Scores by a function of the conversation: no model, no tokens.

    Args:
        script: gives the scores of one conversation, or raises what a device would raise.
        objectives: k names; `script` must give k rewards.
    """

    def __init__(
        self,
        script: Callable[[Sequence[Turn]], Scores | Unscored],
        objectives: tuple[str, ...] = ("beavertails-is_safe", "helpsteer-helpfulness"),
    ) -> None:
        self._script = script
        self._conversations: dict[str, Sequence[Turn]] = {}
        self._identity = ModelIdentity(
            name="scripted",
            fingerprint="sha256:" + "0" * 64,
            dtype="float32",
            objectives=objectives,
            framing="reply/2",
            max_input_tokens=4_096,
        )
        self.scored: list[list[Prompt]] = []

    @property
    def identity(self) -> ModelIdentity:
        """A model that is none."""
        return self._identity

    def read(self, conversations: Sequence[Sequence[Turn]]) -> list[EventReading]:
        """Give one made-up token per turn, in one passage; equal conversations get equal keys."""
        return [self._reading(conversation) for conversation in conversations]

    def score(self, prompts: Sequence[Prompt], interactive: InteractiveTexts | None = None) -> list[Scores | Unscored]:
        """Follow the script, in the order given; scores of a truncated prompt say that they are.

        Interactive texts come first, each in a pass of its own.
        """
        while interactive and (taken := interactive.take(1)):
            self._serve(taken[0], interactive)
        self.scored.append(list(prompts))
        return [self._scores(prompt) for prompt in prompts]

    def _serve(self, prompt: Prompt, interactive: InteractiveTexts) -> None:
        try:
            scores = self._scores(prompt)
        except ModeratorError:
            raise
        except Exception as error:  # noqa: BLE001 - as an engine does with a fault of ours
            interactive.fail(prompt.score_key, error)
        else:
            interactive.give({prompt.score_key: scores}, 0.0)

    def _reading(self, conversation: Sequence[Turn]) -> EventReading:
        judged = conversation[-1].content
        prompt = self._prompt(conversation)
        passages = (Passage(prompt, 0, len(judged)),) if judged.strip() else ()
        return EventReading(passages, "context" if prompt.truncated else "nothing")

    def _prompt(self, conversation: Sequence[Turn]) -> Prompt:
        text = repr([list(turn) for turn in conversation])
        key = hashlib.sha256(text.encode()).hexdigest()
        self._conversations[key] = conversation
        tokens = min(len(conversation), self._identity.max_input_tokens)
        return Prompt(token_ids=[0] * tokens, gate_row=0, truncated=tokens < len(conversation), score_key=key)

    def _scores(self, prompt: Prompt) -> Scores | Unscored:
        scores = self._script(self._conversations[prompt.score_key])
        if isinstance(scores, Scores) and prompt.truncated:
            return scores._replace(truncated=True)
        return scores


class InMemoryVerdictCache:
    """Keeps decisions and rejections by tenant and event id; no tenant is the empty one."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], EncodedDecision | Rejection] = {}

    def put_many(self, outcomes: Sequence[EncodedDecision | Rejection]) -> None:
        """Keep the last decision of each event; a rejection only where nothing is kept."""
        for outcome in outcomes:
            key = (outcome.tenant or "", outcome.event_id)
            if isinstance(outcome, EncodedDecision) or key not in self.kept:
                self.kept[key] = outcome
