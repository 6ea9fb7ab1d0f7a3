"""The values that the pipeline passes on: record, event, scores, decision, dead letter.

Value types are frozen; those made for every event are named tuples, which are created in a quarter of the time. The
published decision is a `TypedDict`, built once and encoded at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime
from operator import mul
from typing import Generic, Literal, NamedTuple, NotRequired, TypeVar

from typing_extensions import TypedDict  # pydantic, which makes the JSON Schemas, wants this one before Python 3.12

Role = Literal["system", "developer", "user", "assistant", "tool"]
Verdict = Literal["allow", "flag"]
Status = Literal["scored", "degraded", "unscored"]
Severity = Literal["low", "medium", "high", "critical"]
Mode = Literal["live", "shadow"]
OutputScale = Literal["raw", "sigmoid", "softmax"]
"""What a model's scores are: unbounded rewards, a probability for each objective, or probabilities that sum to 1."""
Outcome = Literal["matched", "not matched", "unknown", "spared", "not yet", "ended"]
MetadataValue = str | int | float | bool
"""What is kept of an event's metadata; whole numbers are from -2^63 to 2^64 - 1."""
Recipient = Literal["user", "moderators"]
"""Whom a rule notifies."""
Cause = Literal["absent", "not_a_number", "not_finite", "implausible"]
DeadLetterReason = Literal["bad_json", "bad_schema", "too_large", "no_text", "crashed_scorer"]
SkippedKind = Literal["image", "audio", "file", "reasoning", "tool_call", "other"]
"""What of a message is not judged."""
IncludeContent = Literal["none", "full"]
Cut = Literal["nothing", "context", "message"]
"""What the model did not read: nothing, older turns alone, or some of the judged message."""
HiddenText = Literal["none", "found"]
"""Whether so much of the judged message cannot be seen that somebody may have hidden it."""

Part = Literal["when", "unless"]
"""The part of a rule that a comparison belongs to."""
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""Rising order."""


_HIDDEN_CHARACTERS = 16


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """An event's envelope, its bytes untouched.

    Attributes:
        leader_epoch: the number of the partition's leader when the record was written; -1: not known.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    leader_epoch: int = -1


class Turn(NamedTuple):
    """One message of a chat; empty content is normal in a message with tool calls."""

    role: Role
    content: str


class ChatEvent(NamedTuple):
    """Content to judge: the last turn, once, in the context of those before it.

    Attributes:
        skipped: how much of it is not judged, by kind; None for nothing.
        cut, hidden_text: how it was read, for rules to match on; filled in when it was.
        text_scores: what was measured of the text, by name of the signal, None for what cannot be measured; filled in
            when it was read, or from the record.
    """

    id: str
    conversation: tuple[Turn, ...]
    conversation_id: str | None = None
    tenant: str | None = None
    channel: str | None = None
    locale: str | None = None
    user: str | None = None
    role: str | None = None
    time: str | float | None = None
    metadata: Mapping[str, MetadataValue] | None = None
    skipped: Mapping[SkippedKind, int] | None = None
    cut: Cut = "nothing"
    hidden_text: HiddenText = "none"
    text_scores: Mapping[str, float | None] | None = None

    @property
    def speaker(self) -> Role:
        """The role of the judged message as it was sent."""
        return self.conversation[-1].role


class Prompt(NamedTuple):
    """A conversation as the model reads it.

    Attributes:
        token_ids: n >= 1 ids with every special token of the template; where the model is asked several questions, the
            texts of all of them, one after another.
        gate_row: index in `token_ids` where the last assistant header starts.
        truncated: turns or text were left out to fit.
        score_key: 64 hex digits over model fingerprint, dtype, maximum input tokens, framing, scale, whether the model
            is run deterministically or compiled, and `token_ids`.
        lengths: tokens of each of several texts; empty: there is one.
    """

    token_ids: Sequence[int]
    gate_row: int
    truncated: bool
    score_key: str
    lengths: tuple[int, ...] = ()


class Passage(NamedTuple):
    """One stretch of a judged message, as the model reads it.

    Attributes:
        start, end: of the stretch, in code points of the message as sent; the end is not included.
    """

    prompt: Prompt
    start: int
    end: int


class EventReading(NamedTuple):
    """What the model reads of one event.

    Attributes:
        passages: nearly always one; none where the judged message has no visible text.
        removed: how many characters of the judged message nobody sees, so that they are not read.
    """

    passages: tuple[Passage, ...]
    cut: Cut = "nothing"
    removed: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a record could not be judged; the text never quotes the record.

    Attributes:
        field: the path of the wrong field, such as `messages.0.role`; None where none is at fault.
    """

    reason: DeadLetterReason
    error: str
    field: str | None = dataclass_field(default=None, compare=False)


SET_ASIDE = DeadLetter("crashed_scorer", "the process ended twice while scoring this event alone")
"""An event that is not scored again; the only dead letter of one that nothing is known to be wrong with."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model scores, and how what it reads is made.

    Attributes:
        fingerprint: `sha256:` and 64 hex digits over config, tokenizer, template and weights.
        objectives: k names in the order of the model's heads.
        framing: the rule that turns an event into chat turns, such as `reply/2`.
        max_input_tokens: of one text.
        max_passages: a longer message is read in so many texts at most.
        passage_tokens: a message of more tokens is read in passages; None: one that the input does not hold.
        is_practice: the built-in model; its scores are for trying things out only.
        scale: what the scores are: unbounded rewards, or probabilities from 0 to 1.
        questions: how often a text is read, once for each question that a guard is asked.
    """

    name: str
    fingerprint: str
    dtype: str
    objectives: tuple[str, ...]
    framing: str
    max_input_tokens: int
    max_passages: int = 1
    passage_tokens: int | None = None
    is_practice: bool = False
    scale: OutputScale = "raw"
    questions: int = 1


class Scores(NamedTuple):
    """What the model gave for one conversation: k objectives, in the model's order.

    Attributes:
        rewards: k floats as the model gives them, rewards or probabilities; not finite never occurs.
        weights: k floats: how much each reward counts in `overall`; all 0 where the model has no such score.
        truncated: the model did not see the whole conversation.
    """

    rewards: tuple[float, ...]
    weights: tuple[float, ...]
    truncated: bool

    @property
    def is_weighted(self) -> bool:
        """Check whether the model weights its objectives, so that there is an overall score."""
        return any(self.weights)

    @property
    def overall(self) -> float | None:
        """Sum over objectives of reward x weight, ArmoRM's gated score; None where the objectives have no weights."""
        return sum(map(mul, self.rewards, self.weights)) if self.is_weighted else None


@dataclass(frozen=True, slots=True)
class Unscored:
    """The model gave no score for one conversation; `error` says why, without its text."""

    error: str


class EventSummary(TypedDict):
    """The judged event without its text (with it where the operator asked for `include_content: full`)."""

    id: str
    conversation_id: str | None
    tenant: str | None
    channel: str | None
    locale: str | None
    user: str | None
    role: str | None
    speaker: Role
    time: str | float | None
    content_sha256: str
    topic: str
    partition: int
    offset: int
    timestamp: int | None
    metadata: Mapping[str, MetadataValue]
    messages: NotRequired[list[dict[str, str]]]


class ConditionResult(TypedDict):
    """One comparison of a rule: its phrase, the score, whether it holds, and by how much.

    `score` and `margin` are on the signal's human scale; a positive margin means that it holds. `passage` is the index
    of the passage that the score is from, where the message was read in several.
    """

    part: Part
    signal: str
    phrase: str
    score: float | None
    holds: bool | None
    margin: float | None
    borderline: bool
    cause: NotRequired[Cause]
    passage: NotRequired[int]


class RuleResult(TypedDict):
    """What one rule found; rules that are off or do not apply are not listed.

    A rule that tags has `tags` and no severity. A rule without conditions has none here either.
    """

    rule: str
    outcome: Outcome
    counted: bool
    mode: Mode
    severity: Severity | None
    conditions: list[ConditionResult]
    tags: NotRequired[list[str]]
    spared_by: NotRequired[str]
    rollout: NotRequired[Literal["inside", "outside"]]


class Notice(TypedDict):
    """Somebody to notify: the text of a key in the event's language; both null where the product has its own texts."""

    to: Recipient
    key: str
    text: str | None
    locale: str | None


class Contribution(TypedDict):
    """One objective's share of `overall`; `others` sums what is not listed."""

    objective: str
    reward: NotRequired[float]
    weight: NotRequired[float]
    contribution: float


PassageScores = TypedDict(
    "PassageScores", {"from": int, "to": int, "objectives": dict[str, float | None], "overall": float | None}
)
"""Raw scores of one passage of the judged message, from one code point to another of the text as sent."""


class ScoreSummary(TypedDict):
    """Scores on the human scale by signal, raw by objective, and overall where the model weights its objectives.

    Of several passages they are the worst; `overall` is the lowest. `passages` is there only then.
    """

    signals: dict[str, float | None]
    objectives: dict[str, float | None]
    overall: float | None
    passages: NotRequired[list[PassageScores]]


class TextReference(TypedDict):
    """How text signals were read: of each 12 hex digits; equal ones say that its number would be the same now."""

    reading: str
    unicode: str
    signals: Mapping[str, str]


class PolicyReference(TypedDict):
    """The policy that decided; `text` is there only where it has text signals."""

    snapshot: str
    format: int
    calibration: str | None
    text: NotRequired[TextReference]


class ModelReference(TypedDict):
    """The model that scored."""

    name: str
    fingerprint: str
    dtype: str
    scale: NotRequired[OutputScale]


class ReadingSummary(TypedDict):
    """How the event was read.

    `cut` says what the model did not read to fit. `removed` counts characters of the judged message that nobody sees.
    `skipped` counts what is not judged, over all turns.
    """

    cut: Cut
    passages: int
    removed: int
    skipped: Mapping[SkippedKind, int]


class Found(TypedDict):
    """Where a list of a text signal was found: which of its lines, the first 20, rising; never what was written."""

    signal: str
    lines: list[int]
    list: str


class Timing(TypedDict):
    """Milliseconds: from poll to scoring, in scoring, from poll to decision."""

    queued: float
    scored: float
    total: float


class Decision(TypedDict):
    """The published record, `moderator.decision/1`.

    What an older release made may lack `reading`, `action`, `queues`, `notify` and `shadow_action`. `found` is there
    only where the policies have text signals.
    `draft` is there, and true, only where the policies were tried out: their own tests may fail.
    """

    schema: Literal["moderator.decision/1"]
    draft: NotRequired[Literal[True]]
    decision_id: str
    decided_at: str
    event: EventSummary
    verdict: Verdict
    status: Status
    severity: Severity | None
    reasons: list[str]
    labels: list[str]
    action: NotRequired[str | None]
    queues: NotRequired[list[str]]
    notify: NotRequired[list[Notice]]
    rules: list[RuleResult]
    shadow_verdict: Verdict
    shadow_action: NotRequired[str | None]
    scores: ScoreSummary
    found: NotRequired[list[Found]]
    explanation: list[Contribution]
    policy: PolicyReference
    model: ModelReference
    framing: str
    reading: NotRequired[ReadingSummary]
    truncated: bool
    skipped_parts: int
    cached: bool
    error: str | None
    timing_ms: Timing


class EncodedDecision(NamedTuple):
    """A decision as it is published, and the few values of it that the pipeline still needs.

    Decisions are encoded as soon as they are made: their dozens of small objects are freed early, and a window is
    published again with the same bytes.

    Attributes:
        value: the `Decision` as JSON.
        matched: the id of each rule that matched, or counted because a score was missing, and what it counted as:
            outside its rollout a live rule is shadow.
        missing_scores: signal and cause of each condition that had no usable score or fact, without duplicates; no
            scores where the model gave none at all.
        signals: score on the human scale by signal.
        reading: how the event was read.
        total_ms: from poll to decision.
    """

    value: bytes
    decision_id: str
    decided_at: str
    event_id: str
    tenant: str | None
    verdict: Verdict
    shadow_verdict: Verdict
    status: Status
    severity: Severity | None
    reasons: list[str]
    action: str | None
    queues: list[str]
    notify: list[Notice]
    matched: list[tuple[str, Mode]]
    missing_scores: list[tuple[str, Cause]]
    signals: Mapping[str, float | None]
    reading: ReadingSummary
    snapshot: str
    cached: bool
    total_ms: float


class Rejection(NamedTuple):
    """A dead letter as its sender asks for it.

    Attributes:
        event_id: the event's own, or `topic/partition/offset`.
    """

    tenant: str | None
    event_id: str
    reason: DeadLetterReason


Item = TypeVar("Item")
NextItem = TypeVar("NextItem")


@dataclass(frozen=True, slots=True)
class PartitionSpan(Generic[Item]):
    """A contiguous range of offsets of one partition, and one item for each of its records.

    The items change from step to step: records when polled, entries in a window, outcomes when published.

    Attributes:
        assignment_epoch: how often this process had been assigned the partition when it polled.
        next_offset: the offset to read after this range, and so the one to commit.
        items: in offset order; the log may have gaps between them. None: the range holds no event, only a
            transaction's markers or what was aborted, and is committed all the same.
        leader_epoch: that of the last thing in the range, record or marker; -1: not known.
    """

    partition: Partition
    assignment_epoch: int
    next_offset: int
    items: list[Item]
    leader_epoch: int = -1

    def with_items(self, items: list[NextItem]) -> "PartitionSpan[NextItem]":
        """Give the same range after the next step."""
        return PartitionSpan(self.partition, self.assignment_epoch, self.next_offset, items, self.leader_epoch)


PolledSpan = PartitionSpan[Record]
DecidedSpan = PartitionSpan[tuple[Record, EncodedDecision | DeadLetter]]


@dataclass(frozen=True, slots=True)
class Published:
    """The result of one attempt to publish.

    Attributes:
        committed: spans whose outcomes and offsets are now both visible.
        retry: spans to publish again, unchanged, after the next poll. A span in neither list now belongs to another
            owner and is dropped.
    """

    committed: list[DecidedSpan]
    retry: list[DecidedSpan]


def hidden_text_of(removed: int) -> HiddenText:
    """Say whether so many characters that nobody sees are a sign of somebody who hides text."""
    return "found" if removed >= _HIDDEN_CHARACTERS else "none"


def iso_time(epoch_s: float) -> str:
    """Give a UTC time with milliseconds, such as `2026-10-05T12:00:00.412Z`."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
