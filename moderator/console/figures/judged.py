"""An event judged by the folder and by an edit of it, as a page shows both."""

from dataclasses import dataclass
from typing import Any, cast

from moderator.console.figures.why import Why, why_of
from moderator.events import ChatEvent, Decision
from moderator.playground.judging import SetScores, Subject, TypedText, judge
from moderator.policy import PolicySet


@dataclass(frozen=True, slots=True)
class Judged:
    """What one policy set decides of an event.

    Attributes:
        decision: as it would be recorded.
        differs: ids of the rules that find something else than on the other side.
    """

    decision: Decision
    why: Why
    differs: frozenset[str]


def judged_figures(folder: PolicySet, edit: PolicySet, subject: Subject) -> tuple[Judged, Judged]:
    """Judge an event by the folder and by the edit; scores that a set has no signal for are left out.

    Raises:
        PolicyError: a set does not suit the model that scored.
        GivenError: a score cannot be one of its signal.
    """
    decisions = [_decision(policies, subject) for policies in (folder, edit)]
    rules = [{rule["rule"]: rule for rule in decision["rules"]} for decision in decisions]
    differs = frozenset(rule for rule in rules[0].keys() | rules[1].keys() if rules[0].get(rule) != rules[1].get(rule))
    before, after = (
        Judged(decision, why_of(decision, policies), differs)
        for decision, policies in zip(decisions, (folder, edit), strict=True)
    )
    return before, after


def _decision(policies: PolicySet, subject: Subject) -> Decision:
    if isinstance(subject, SetScores):
        known = {signal.name for signal in policies.signals if not signal.members}
        scores = {name: score for name, score in subject.scores.items() if name in known}
        parts = judge(policies, subject._replace(scores=scores))
        whole = _set_decision(subject.event)
    else:
        parts = judge(policies, subject)
        whole = {**(subject.decision if isinstance(subject, TypedText) else subject)}
    return cast("Decision", {**whole, **parts})


def _set_decision(event: ChatEvent) -> dict[str, Any]:
    """Give the parts of a decision that no model and no policy says."""
    names = ("id", "conversation_id", "tenant", "channel", "locale", "user", "role", "speaker", "time")
    return {
        "event": {**{name: getattr(event, name) for name in names}, "metadata": event.metadata or {}},
        "explanation": [],
        "skipped_parts": 0,
        "error": None,
    }
