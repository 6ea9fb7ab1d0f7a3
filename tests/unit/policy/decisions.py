"""Recorded decisions for the tests: made by the parts that make them in production."""

from typing import Any

from moderator.events import ChatEvent, Decision, Scores, Unscored
from moderator.pipeline.decision import Decider, Timestamps
from moderator.pipeline.window import ScoredEvent
from moderator.policy import PolicySet
from tests.builders import a_record, a_scored_event
from tests.unit.policy.folders import NOON_MS, a_model, an_event

AT = Timestamps(10.0, 10.0, 10.0, "2026-10-05T12:00:00.412Z")


def a_decision(
    policies: PolicySet,
    *,
    safety: float = 0.9,
    helpfulness: float = 0.7,
    correctness: float = 0.6,
    honesty: float = 0.6,
    at_ms: int | None = NOON_MS,
    event: ChatEvent | None = None,
    **fields: Any,
) -> Decision:
    """What is published of an event with these raw rewards."""
    rewards = (safety, helpfulness, correctness, honesty)
    scored = a_scored_event(Scores(rewards, (0.25,) * 4, truncated=False))
    judged = event or an_event(**fields)
    return Decider(policies, a_model()).decide(a_record(timestamp_ms=at_ms), judged, scored, 10.0, AT)


def a_decision_on(policies: PolicySet, scored: ScoredEvent) -> Decision:
    """What is published of the usual event, scored so."""
    return Decider(policies, a_model()).decide(a_record(timestamp_ms=NOON_MS), an_event(), scored, 10.0, AT)


def an_unscored_decision(policies: PolicySet, error: str) -> Decision:
    scored = a_scored_event(Unscored(error))
    return Decider(policies, a_model()).decide(a_record(), an_event(), scored, 10.0, AT)
