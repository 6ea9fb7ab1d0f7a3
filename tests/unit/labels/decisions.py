"""Decisions as small as the code that labels them lets them be."""

from typing import Any, cast

from moderator.events import ConditionResult, Decision, RuleResult


def a_decision(**fields: Any) -> Decision:
    verdict = fields.get("verdict", "flag")
    decision = {
        "decision_id": f"mod_{0:032x}",
        "event": {"id": "evt-1", "tenant": "acme"},
        "verdict": verdict,
        "shadow_verdict": verdict,
        "rules": [],
        "policy": {"snapshot": "sha256:6cfd"},
    }
    return cast("Decision", decision | fields)


def a_rule(rule: str = "a/b", **fields: Any) -> RuleResult:
    result = {"rule": rule, "outcome": "matched", "counted": False, "mode": "live", "conditions": []}
    return cast("RuleResult", result | fields)


def a_condition(**fields: Any) -> ConditionResult:
    condition = {"signal": "safety", "score": 0.5, "margin": 0.2, "borderline": False}
    return cast("ConditionResult", condition | fields)
