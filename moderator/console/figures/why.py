"""One decision as a person reads it: each rule in words, each comparison on its scale, and what made up the score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from moderator.events import ConditionResult, Contribution, Decision, EventSummary, RuleResult
from moderator.policy.analysis.descriptions import describe_rule
from moderator.policy.files.rules.phrases import parse_phrase
from moderator.policy.language.ast import Condition, Rule, Signal
from moderator.policy.language.event_time import iso_utc
from moderator.policy.language.scale import show
from moderator.policy.policy_set import PolicySet

_CAUSES = {
    "absent": "there is no value",
    "not_a_number": "it is not a number",
    "not_finite": "it is not finite",
    "implausible": "it is implausible",
}
_CUTS = {
    "context": "Older turns were not read: the event was too long.",
    "message": "Some of the judged message was not read: it was too long.",
}
_MARGIN_OF_SCALE = 0.25


class ScaleView(NamedTuple):
    """Where a comparison is drawn.

    Attributes:
        low, high: the ends of the drawing, the signal's own where it has a scale.
        is_agreed: they are the signal's.
        holds_below: the comparison holds to the left of its limit.
    """

    low: float
    high: float
    is_agreed: bool
    holds_below: bool


@dataclass(frozen=True, slots=True)
class ConditionView:
    """One comparison.

    Attributes:
        limit: on the signal's scale; None where the comparison has none, or nobody knows it.
        finding: what came of it, such as `holds by 0.09`.
        scale: None where nothing can be drawn.
    """

    result: ConditionResult
    limit: float | None
    unit: str
    finding: str
    scale: ScaleView | None


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule and what it found.

    Attributes:
        words: the rule as it was written, in words; empty where its policies are not available.
        finding: what that meant for the verdict.
    """

    result: RuleResult
    words: str
    finding: str
    conditions: Sequence[ConditionView]


@dataclass(frozen=True, slots=True)
class Why:
    """What the page shows of one decision.

    Attributes:
        deciding: rules that counted; `others` did not.
        elsewhere: rules of the snapshot for other events.
        is_known: the policies that decided are available.
        notes: what else one should know before one believes it.
    """

    decision: Decision
    deciding: Sequence[RuleView]
    others: Sequence[RuleView]
    elsewhere: Sequence[str]
    is_known: bool
    contributions: Sequence[Contribution]
    notes: Sequence[str]


def why_of(decision: Decision, policies: PolicySet | None) -> Why:
    """Explain a decision; `policies` are those that made it, None where they are not available."""
    rules = {rule.id: rule for rule in policies.rules} if policies else {}
    views = [_rule_view(result, decision, rules.get(result["rule"]), policies) for result in decision["rules"]]
    views.sort(key=lambda view: (view.result["outcome"] != "matched", view.result["mode"] != "live"))
    listed = {result["rule"] for result in decision["rules"]}
    return Why(
        decision,
        deciding=[view for view in views if view.result["counted"]],
        others=[view for view in views if not view.result["counted"]],
        elsewhere=sorted(rule.id for rule in rules.values() if rule.mode != "off" and rule.id not in listed),
        is_known=policies is not None,
        contributions=decision["explanation"],
        notes=list(_notes(decision)),
    )


def limit_of(condition: ConditionResult, known: Condition | None = None) -> float | None:
    """Give the limit of a comparison on its signal's scale.

    A share of events, such as `in the lowest 2%`, stands for a score that only the margin gives.
    """
    if known is not None and known.limit is not None:
        return float(known.limit)
    phrase = parse_phrase(condition["phrase"])
    if phrase is None or not phrase.comparison.has_limit:
        return None
    if phrase.limit is not None:
        return float(phrase.limit)
    if condition["score"] is None or condition["margin"] is None:
        return None
    sign = 1 if phrase.comparison.holds_below else -1
    return round(condition["score"] + sign * condition["margin"], 6)


def _rule_view(result: RuleResult, decision: Decision, rule: Rule | None, policies: PolicySet | None) -> RuleView:
    known = rule.conditions if rule else ()
    conditions = [_condition_view(*pair) for pair in zip_longest(result["conditions"], known) if pair[0] is not None]
    words = describe_rule(rule, policies.exemptions if policies else ()) if rule else ""
    return RuleView(result, words, _finding(result, decision["event"], rule), conditions)


def _condition_view(result: ConditionResult, known: Condition | None) -> ConditionView:
    known = known if known is not None and known.signal.name == result["signal"] else None
    limit = limit_of(result, known)
    signal = known.signal if known else None
    unit = signal.spoken_unit or "" if signal else ""
    return ConditionView(result, limit, unit, _margin(result), _scale(result, limit, signal))


def _margin(result: ConditionResult) -> str:
    margin = result["margin"]
    if result["holds"] is None:
        return f"not known: {_CAUSES[result.get('cause', 'absent')]}"
    verb = "holds" if result["holds"] else "misses"
    if margin is None:
        return verb if result["holds"] else "does not hold"
    return f"{verb} by {abs(margin):.6f}".rstrip("0").rstrip(".") if margin else f"{verb}, just at the limit"


def _scale(result: ConditionResult, limit: float | None, signal: Signal | None) -> ScaleView | None:
    phrase, score = parse_phrase(result["phrase"]), result["score"]
    if limit is None or phrase is None:
        return None
    ends = (signal.scale.low, signal.scale.high) if signal else (None, None)
    if ends[0] is not None and ends[1] is not None and ends[0] < ends[1]:
        return ScaleView(float(ends[0]), float(ends[1]), is_agreed=True, holds_below=phrase.comparison.holds_below)
    low, high = min(limit, limit if score is None else score), max(limit, limit if score is None else score)
    room = (high - low) * _MARGIN_OF_SCALE or 1.0
    return ScaleView(low - room, high + room, is_agreed=False, holds_below=phrase.comparison.holds_below)


def _finding(result: RuleResult, event: EventSummary, rule: Rule | None) -> str:
    parts = [_outcome(result, rule)]
    if "rollout" in result:
        parts.append(_rollout(result["rollout"], event, rule))
    return ", ".join(parts)


def _outcome(result: RuleResult, rule: Rule | None) -> str:
    is_shadow = result["mode"] == "shadow"
    match result["outcome"]:
        case "matched" if result["counted"]:
            return (
                f"flags, {result['severity']}" if result["severity"] else f"tags: {', '.join(result.get('tags', []))}"
            )
        case "matched":
            return "would flag as a live rule" if is_shadow else "would flag within its rollout"
        case "unknown" if result["counted"]:
            return f"{_missing(result, rule)} is missing, which counts as a match here"
        case "unknown":
            return f"{_missing(result, rule)} is missing; lets it pass"
        case "spared":
            return f"matches, but is exempt by {result.get('spared_by', 'an exception')}"
        case "not yet":
            return "not in force yet" + (f", starts {iso_utc(rule.starts_ms)}" if rule and rule.starts_ms else "")
        case "ended":
            return "ended" + (f" {iso_utc(rule.until_ms)}" if rule and rule.until_ms else "")
        case _:
            return "does not match"


def _missing(result: RuleResult, rule: Rule | None) -> str:
    """Name what a rule could not tell without; a score comes first, as it does where the rule is judged."""
    unknown = {condition["signal"] for condition in result["conditions"] if condition["holds"] is None}
    kinds = {each.signal.kind for each in (rule.conditions if rule else ()) if each.signal.name in unknown}
    return "a fact" if kinds and "score" not in kinds else "a score"


def _rollout(side: str, event: EventSummary, rule: Rule | None) -> str:
    if rule is None or rule.rollout is None:
        return f"{side} its rollout"
    fields: Mapping[str, object] = {**event}
    units = {"users": "user", "conversations": "conversation_id", "tenants": "tenant", "events": "id"}
    unit = fields.get(units.get(rule.rollout.unit, ""))
    return f"{unit or 'the event'} is {side} its {show(rule.rollout.percent)}% of {rule.rollout.unit}"


def _notes(decision: Decision) -> Sequence[str]:
    notes = []
    if decision["status"] == "unscored":
        notes.append(f"Unscored, so no rule was asked: {decision['error'] or 'the model gave no score'}.")
    if decision["status"] == "degraded":
        notes.append("Degraded: a score that a rule needs is missing.")
    reading = decision.get("reading")
    if reading and reading["cut"] in _CUTS:
        notes.append(_CUTS[reading["cut"]])
    if reading and reading["removed"]:
        notes.append(
            f"Characters of the judged message that cannot be seen, and were not read: {reading['removed']:,}."
        )
    if decision["skipped_parts"]:
        notes.append(f"Parts, such as images, that were not judged: {decision['skipped_parts']:,}.")
    if decision["shadow_verdict"] != decision["verdict"]:
        notes.append(f"With every shadow rule live: {decision['shadow_verdict']}.")
    return notes
