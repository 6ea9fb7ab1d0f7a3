"""Build the published record: one event, its scores, the policy's verdict, and the reasons."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

import orjson

from moderator.events import (
    Cause,
    ChatEvent,
    Contribution,
    Decision,
    EncodedDecision,
    EventReading,
    EventSummary,
    Found,
    IncludeContent,
    ModelIdentity,
    ModelReference,
    PolicyReference,
    ReadingSummary,
    Record,
    Scores,
    ScoreSummary,
    Timing,
    Unscored,
    hidden_text_of,
)
from moderator.pipeline.window import ScoredEvent
from moderator.policy import Judgement, PolicySet, event_time_ms
from moderator.stream.content_hash import content_hash

LISTED_CONTRIBUTIONS = 5
DECIMALS = 6
"""Scores are rounded once, half to even; that value is compared, recorded and replayed."""


@dataclass(frozen=True, slots=True)
class Timestamps:
    """When one window was scored and decided: monotonic seconds, and the wall-clock time of the decision."""

    scoring_started_at_s: float
    scoring_ended_at_s: float
    decided_at_s: float
    decided_at: str


class Decider:
    """Turns scored events into decisions under one policy snapshot and one model.

    Attributes:
        policies: that decide.
        model: that gives the scores.
    """

    def __init__(
        self,
        policies: PolicySet,
        model: ModelIdentity,
        include_content: IncludeContent = "none",
        *,
        is_draft: bool = False,
    ) -> None:
        self.policies = policies
        self.model = model
        self.facts = frozenset(signal.name for signal in policies.signals if signal.kind != "score")
        self._judge = policies.bind(model.objectives, model.name)
        self._text_signals = policies.text_signals
        if policies.text_signals is not None:
            policies.text_signals.warm_up()
        self._include_content = include_content
        self._is_draft = is_draft
        self._policy_reference = policy_reference(policies, model.name)
        self._model_reference: ModelReference = {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "dtype": model.dtype,
            "scale": model.scale,
        }

    @property
    def snapshot(self) -> str:
        """Of the policies."""
        return self.policies.snapshot

    def decide(
        self, record: Record, event: ChatEvent, scored: ScoredEvent, polled_at_s: float, at: Timestamps
    ) -> Decision:
        """Judge one event by the policy and record how the verdict was reached."""
        scores = () if isinstance(scored.scores, Unscored) else scored.scores
        event = _as_read(event, scored.reading)
        found: list[Found] = []
        if self._text_signals is not None:
            event, found = self._text_signals.measure(event)
        at_ms = event_time_ms(record.timestamp_ms, event.time, at.decided_at)
        if scores:
            judgement = self._judge.decide_passages(event, [each.rewards for each in scores], at_ms)
        else:
            judgement = self._judge.decide(event, None, at_ms)
        content_sha256 = content_hash(event)
        decision: Decision = {
            "schema": "moderator.decision/1",
            "decision_id": self._decision_id(event, content_sha256),
            "decided_at": at.decided_at,
            "event": self._event_summary(record, event, content_sha256),
            "verdict": judgement.verdict,
            "status": judgement.status,
            "severity": judgement.severity,
            "reasons": judgement.reasons,
            "labels": judgement.labels,
            "action": judgement.action,
            "queues": judgement.queues,
            "notify": judgement.notify,
            "rules": judgement.rules,
            "shadow_verdict": judgement.shadow_verdict,
            "shadow_action": judgement.shadow_action,
            "scores": self._score_summary(scores, scored.reading, judgement),
            "explanation": explain(_lowest(scores), self.model.objectives) if scores else [],
            "policy": self._policy_reference,
            "model": self._model_reference,
            "framing": self.model.framing,
            "reading": _reading_summary(event, scored.reading),
            "truncated": scored.reading.cut != "nothing",
            "skipped_parts": sum(event.skipped.values()) if event.skipped else 0,
            "cached": scored.cached,
            "error": scored.scores.error if isinstance(scored.scores, Unscored) else None,
            "timing_ms": _timing(polled_at_s, at),
        }
        if self._text_signals is not None:
            decision["found"] = found
        if self._is_draft:
            decision["draft"] = True
        return decision

    def _decision_id(self, event: ChatEvent, content_sha256: str) -> str:
        model, snapshot = self.model, self._policy_reference["snapshot"]
        return decision_id(event.id, event.tenant, content_sha256, snapshot, model.fingerprint, model.framing)

    def _event_summary(self, record: Record, event: ChatEvent, content_sha256: str) -> EventSummary:
        summary: EventSummary = {
            "id": event.id,
            "conversation_id": event.conversation_id,
            "tenant": event.tenant,
            "channel": event.channel,
            "locale": event.locale,
            "user": event.user,
            "role": event.role,
            "speaker": event.speaker,
            "time": event.time,
            "content_sha256": content_sha256,
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp_ms,
            "metadata": event.metadata or {},
        }
        if self._include_content == "full":
            summary["messages"] = [{"role": turn.role, "content": turn.content} for turn in event.conversation]
        return summary

    def _score_summary(self, scores: Sequence[Scores], reading: EventReading, judgement: Judgement) -> ScoreSummary:
        if not scores:
            return {"signals": judgement.signals, "objectives": dict.fromkeys(self.model.objectives), "overall": None}
        summary: ScoreSummary = {
            "signals": judgement.signals,
            "objectives": self._by_objective(self._judge.worst_rewards([each.rewards for each in scores])),
            "overall": _rounded(_lowest(scores).overall),
        }
        if len(scores) > 1:
            summary["passages"] = [
                {
                    "from": passage.start,
                    "to": passage.end,
                    "objectives": self._by_objective(each.rewards),
                    "overall": _rounded(each.overall),
                }
                for passage, each in zip(reading.passages, scores, strict=True)
            ]
        return summary

    def _by_objective(self, rewards: Sequence[float]) -> dict[str, float | None]:
        rounded = [round(reward, DECIMALS) for reward in rewards]
        return dict(zip(self.model.objectives, rounded, strict=True))


def policy_reference(policies: PolicySet, model: str) -> PolicyReference:
    """Say by which policies, with which calibration, events that this model scored are decided."""
    calibration = policies.calibration_of(model)
    reference: PolicyReference = {
        "snapshot": policies.snapshot,
        "format": policies.format,
        "calibration": calibration.hash if calibration else None,
    }
    if policies.text_signals is not None:
        reference["text"] = policies.text_signals.reference
    return reference


def decision_id(  # noqa: PLR0917 - in the order in which they are hashed
    event_id: str, tenant: str | None, content_sha256: str, snapshot: str, fingerprint: str, framing: str
) -> str:
    """Name a decision by all that it follows from, so that a repeat has the same name."""
    parts = [event_id, tenant, content_sha256, snapshot, fingerprint, framing]
    return "mod_" + hashlib.sha256(orjson.dumps(parts)).hexdigest()[:32]


def encode(decision: Decision, facts: Collection[str] = ()) -> EncodedDecision:
    """Turn a decision into the bytes that are published, and keep the values that the pipeline still needs.

    Args:
        decision: as it will be published.
        facts: names of the signals that no model gives, `Decider.facts`.
    """
    event = decision["event"]
    return EncodedDecision(
        value=orjson.dumps(decision),
        decision_id=decision["decision_id"],
        decided_at=decision["decided_at"],
        event_id=event["id"],
        tenant=event["tenant"],
        verdict=decision["verdict"],
        shadow_verdict=decision["shadow_verdict"],
        status=decision["status"],
        severity=decision["severity"],
        reasons=decision["reasons"],
        action=decision["action"],
        queues=decision["queues"],
        notify=decision["notify"],
        matched=[
            (rule["rule"], "live" if rule["counted"] else "shadow")
            for rule in decision["rules"]
            if rule["counted"] or rule["outcome"] == "matched"
        ],
        signals=decision["scores"]["signals"],
        reading=decision["reading"],
        missing_scores=_missing_scores(decision, facts),
        snapshot=decision["policy"]["snapshot"],
        cached=decision["cached"],
        total_ms=decision["timing_ms"]["total"],
    )


def _lowest(scores: Sequence[Scores]) -> Scores:
    """Give the passage with the lowest overall score, the first of equals; the first where there is no such score."""
    return min(scores, key=lambda each: each.overall or 0.0) if len(scores) > 1 else scores[0]


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, DECIMALS)


def _as_read(event: ChatEvent, reading: EventReading) -> ChatEvent:
    """Add how it was read, on which rules may match."""
    hidden_text = hidden_text_of(reading.removed)
    if reading.cut == "nothing" and hidden_text == "none":
        return event
    return event._replace(cut=reading.cut, hidden_text=hidden_text)


def _reading_summary(event: ChatEvent, reading: EventReading) -> ReadingSummary:
    return {
        "cut": reading.cut,
        "passages": len(reading.passages),
        "removed": reading.removed,
        "skipped": event.skipped or {},
    }


def _missing_scores(decision: Decision, facts: Collection[str]) -> list[tuple[str, Cause]]:
    """Give what rules lacked; where the model gave no score at all, only what it does not give."""
    if None not in decision["scores"]["signals"].values():
        return []
    lacking = {
        (each["signal"], each["cause"]) for rule in decision["rules"] for each in rule["conditions"] if "cause" in each
    }
    is_unscored = decision["status"] == "unscored"
    return sorted(each for each in lacking if not is_unscored or each[0] in facts)


def explain(scores: Scores, objectives: Sequence[str]) -> list[Contribution]:
    """Split `overall` into the five largest contributions (reward x weight) and `others`; without one, into nothing.

    The listed contributions sum to the recorded `overall` within 1e-5.
    """
    if not scores.is_weighted:
        return []
    rewards, weights = scores.rewards, scores.weights
    contributions = list(map(mul, rewards, weights))
    order = sorted(range(len(objectives)), key=list(map(abs, contributions)).__getitem__, reverse=True)
    listed: list[Contribution] = [
        {
            "objective": objectives[index],
            "reward": round(rewards[index], DECIMALS),
            "weight": round(weights[index], DECIMALS),
            "contribution": round(contributions[index], DECIMALS),
        }
        for index in order[:LISTED_CONTRIBUTIONS]
    ]
    others = sum([contributions[index] for index in order[LISTED_CONTRIBUTIONS:]], 0.0)
    return [*listed, {"objective": "others", "contribution": round(others, DECIMALS)}]


@lru_cache(maxsize=64)  # events of one poll and window share it
def _timing(polled_at_s: float, at: Timestamps) -> Timing:
    return {
        "queued": milliseconds(at.scoring_started_at_s - polled_at_s),
        "scored": milliseconds(at.scoring_ended_at_s - at.scoring_started_at_s),
        "total": milliseconds(at.decided_at_s - polled_at_s),
    }


def milliseconds(seconds: float) -> float:
    """Give milliseconds with one decimal."""
    return round(seconds * 1000, 1)
