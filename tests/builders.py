"""Valid values by default; a test names only what it is about."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from moderator.events import (
    ChatEvent,
    Cut,
    EncodedDecision,
    EventReading,
    ModelIdentity,
    Passage,
    Prompt,
    Record,
    Role,
    Scores,
    Turn,
    Unscored,
)
from moderator.labels.record import Label
from moderator.pipeline.ports import Scorer
from moderator.pipeline.window import ScoredEvent
from moderator.policy import PolicySet, load_policies

OBJECTIVES = ("beavertails-is_safe", "helpsteer-helpfulness")


def shown(value: bytes, most: int) -> str:
    """Name a case by its first bytes; without backslashes, which a second collection in one process would double."""
    return repr(value[:most]).replace("\\", "/")


def a_turn(content: str = "How do I reset my password?", role: Role = "user") -> Turn:
    return Turn(role, content)


def an_event(*turns: Turn, **fields: Any) -> ChatEvent:
    fields.setdefault("id", "evt-1")
    return ChatEvent(conversation=turns or (a_turn(),), **fields)


def an_event_json(**fields: Any) -> bytes:
    if not fields.keys() & {"messages", "prompt", "text"}:
        fields["text"] = "How do I reset my password?"
    return json.dumps(fields).encode()


def a_record(value: bytes | None = b'{"text": "hello"}', **fields: Any) -> Record:
    given = {"topic": "chat.events", "partition": 0, "offset": 0, "timestamp_ms": 1_790_000_000_000, "key": None}
    return Record(value=value, **{**given, **fields})


def some_scores(*rewards: float, weights: Sequence[float] | None = None, truncated: bool = False) -> Scores:
    rewards = rewards or (0.9, 0.7)
    return Scores(rewards, tuple(weights or [1 / len(rewards)] * len(rewards)), truncated)


def a_scored_event(
    *scores: Scores | Unscored, cached: bool = False, cut: Cut = "nothing", removed: int = 0
) -> ScoredEvent:
    """Scores of one passage, or of several."""
    given = scores or (some_scores(),)
    passages = tuple(
        Passage(Prompt((at,), 0, truncated=False, score_key=""), 10 * at, 10 * at + 15) for at in range(len(given))
    )
    unscored = next((each for each in given if isinstance(each, Unscored)), None)
    return ScoredEvent(
        unscored or tuple(each for each in given if isinstance(each, Scores)),
        EventReading(passages, cut, removed),
        cached,
    )


def prompts_of(scorer: Scorer, conversations: Sequence[Sequence[Turn]]) -> list[Prompt]:
    """What a scorer reads, passage after passage."""
    return [passage.prompt for reading in scorer.read(conversations) for passage in reading.passages]


def an_encoded_decision(**fields: Any) -> EncodedDecision:
    given: dict[str, Any] = {
        "value": b'{"verdict": "allow"}',
        "decision_id": "mod_6f1c",
        "decided_at": "2026-10-05T12:00:00.412Z",
        "event_id": "evt-1",
        "tenant": "acme",
        "verdict": "allow",
        "shadow_verdict": "allow",
        "status": "scored",
        "severity": None,
        "reasons": [],
        "action": None,
        "queues": [],
        "notify": [],
        "matched": [],
        "missing_scores": [],
        "signals": {},
        "reading": {"cut": "nothing", "passages": 1, "removed": 0, "skipped": {}},
        "snapshot": "sha256:4c91",
        "cached": False,
        "total_ms": 48.0,
    }
    return EncodedDecision(**(given | fields))


def a_model(objectives: tuple[str, ...] = OBJECTIVES) -> ModelIdentity:
    return ModelIdentity("tiny", "sha256:" + "ab" * 32, "float32", objectives, "reply/2", 4_096)


POLICY_FILES = {
    "settings.yaml": """
format: 1
if_score_missing: flag
if_unscored: flag
if_truncated: flag
fields: {speaker: always, tenant: sometimes}
reasons: [unsafe_content]
""",
    "signals.yaml": """
signals:
  safety: {about: How safe it is, from: beavertails-is_safe, scale: {low: 0, high: 1}, good: high}
""",
    "safety.yaml": """
policy: safety
about: Unsafe content goes to review.
owner: trust-safety@example.com
rules:
  - rule: unsafe
    about: It is probably unsafe.
    mode: live
    when: {safety: below 0.30}
    flag: {severity: high, reason: unsafe_content}
  - rule: doubtful
    about: It may be unsafe.
    mode: shadow
    when: {safety: below 0.60}
    flag: {severity: low, reason: unsafe_content}
""",
}
FAILING = """\
tests_for: safety
tests:
  - test: everything is flagged
    given: {event: {speaker: user}, scores: {safety: 0.90}}
    expect: {verdict: flag}
"""
"""A file of tests that these policies fail."""


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def some_policies(folder: Path) -> PolicySet:
    return load_policies(write_files(folder, POLICY_FILES))


def a_label(**fields: Any) -> Label:
    label: dict[str, Any] = {
        "schema": "moderator.label/1",
        "label_id": f"lab_{0:032x}",
        "labelled_at": "2026-11-29T12:00:00Z",
        "id": "evt-1",
        "tenant": "acme",
        "label": "flag",
        "judgement": "right",
        "note": None,
        "reviewer": "ana",
        "reviewer_from": "login",
        "decision_id": f"mod_{0:032x}",
        "verdict": "flag",
        "snapshot": "sha256:6cfd",
        "rules": ["chat-safety/unsafe-reply"],
        "queue": "flagged",
        "sample_share": None,
    }
    return cast("Label", label | fields)
