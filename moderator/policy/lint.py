"""What is well formed but cannot be meant: rules that always or never match, or flag the wrong end."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from math import prod

from moderator.policy.logic import Held, compile_rule
from moderator.policy.model import (
    Calibration,
    Condition,
    Exemption,
    Expression,
    FieldMatch,
    Policy,
    Rule,
    Settings,
    Signal,
    leaves,
)
from moderator.policy.problems import Report, quote

_MAX_COMBINATIONS = 4_096
"""A rule with more score ranges than this is not searched."""
_OPPOSITE = {"below": "above", "above": "below", "at most": "at least", "at least": "at most"}
_BLOCKING = ("high", "critical")


def check_rules(
    policies: Sequence[Policy],
    settings: Settings,
    calibrations: Mapping[str, Calibration],
    now_ms: int | None,
    report: Report,
) -> None:
    """Report rules that cannot be meant."""
    rules = [rule for policy in policies for rule in policy.rules]
    for rule in rules:
        _check_scope(rule, report)
        _check_reach(rule, report)
        _check_direction(rule, report)
        _check_presence(rule, settings, report)
    if not any(rule.mode == "live" for rule in rules):
        report.warning("P053", policies[0].file, "no rule is live", "nothing is flagged for its score")


def check_exemptions(
    exemptions: Sequence[Exemption], policies: Sequence[Policy], now_ms: int | None, report: Report
) -> None:
    """Report exemptions that spare nothing."""


def _check_scope(rule: Rule, report: Report) -> None:
    """Report a rule whose own `applies_to` and its policy's cannot both fit."""
    for first, second in combinations(rule.scope, 2):
        if first.field == second.field and not _can_both_fit(first, second):
            message = f"this rule can never match: no {first.field} fits both its own applies_to and the policy's"
            report.error("P051", rule.span, message, "mend or remove one of the two")


def _can_both_fit(first: FieldMatch, second: FieldMatch) -> bool:
    if any(_fits(second, value) for value in first.exact) or any(_fits(first, value) for value in second.exact):
        return True
    return any(a.startswith(b) or b.startswith(a) for a in first.prefixes for b in second.prefixes)


def _fits(line: FieldMatch, value: str) -> bool:
    return value in line.exact or value.startswith(line.prefixes)


def _check_reach(rule: Rule, report: Report) -> None:
    clash = _clash(_required(rule.when))
    if clash is not None:
        first, second = clash
        message = f"this rule can never match: {_need(first)} and {_need(second)}"
        report.error("P051", first.span, message, 'should these stand under "any:"?')
        return
    outcomes = _possible_outcomes(rule)
    if outcomes is None:
        return
    if True not in outcomes:
        message = "this rule can never match: no scores satisfy it"
        report.error("P051", rule.conditions[0].span, message, "mend or remove the rule")
    elif False not in outcomes:
        message = "this rule matches whatever the scores are"
        report.error("P050", rule.conditions[0].span, message, "mend or remove the rule")


def _required(expression: Expression) -> list[Condition]:
    """Every comparison that must hold for the expression to hold."""
    if isinstance(expression, Condition):
        return [expression]
    if expression.kind == "any" and len(expression.parts) > 1:
        return []
    return [condition for part in expression.parts for condition in _required(part)]


def _clash(conditions: list[Condition]) -> tuple[Condition, Condition] | None:
    pairs = combinations(conditions, 2)
    return next((pair for pair in pairs if pair[0].signal is pair[1].signal and _exclude(*pair)), None)


def _exclude(first: Condition, second: Condition) -> bool:
    if first.limit is None or second.limit is None:
        return (first.limit is None) != (second.limit is None)
    (least, greatest), (other_least, other_greatest) = first.bounds, second.bounds
    return max(least, other_least) > min(greatest, other_greatest)


def _need(condition: Condition) -> str:
    return f"line {condition.span.line} needs {condition.signal.name} {condition.phrase}"


def _possible_outcomes(rule: Rule) -> set[Held] | None:
    """Evaluate the rule once for every combination of score ranges between its limits; None when there are too many."""
    conditions = rule.conditions
    signals = list({condition.signal.name: condition.signal for condition in conditions}.values())
    choices = [_representatives(signal, conditions) for signal in signals]
    if prod(map(len, choices)) > _MAX_COMBINATIONS:
        return None
    holds = compile_rule(rule)
    outcomes: set[Held] = set()
    for combination in product(*choices):
        micro = {signal.name: value for signal, value in zip(signals, combination, strict=True)}
        outcomes.add(holds([_holds(condition, micro[condition.signal.name]) for condition in conditions]))
    return outcomes


def _representatives(signal: Signal, conditions: Iterable[Condition]) -> list[int | None]:
    """One reward from each range between the limits, and None for a missing score."""
    least, greatest = signal.plausible
    edges = {least}
    for condition in conditions:
        if condition.signal is signal and condition.limit is not None:
            low, high = condition.bounds
            edges.update(edge for edge in (low, high + 1) if least <= edge <= greatest)
    return [*sorted(edges), None]


def _holds(condition: Condition, micro: int | None) -> Held:
    if condition.limit is None:
        return micro is None
    least, greatest = condition.bounds
    return None if micro is None else least <= micro <= greatest


def _check_direction(rule: Rule, report: Report) -> None:
    compared = [condition for condition in leaves(rule.when) if condition.limit is not None]
    if not compared or not all(_flags_good_end(condition) for condition in compared):
        return
    first = compared[0]
    words = f"{first.signal.name} {first.phrase}"
    better = first.phrase.replace(first.comparison, _OPPOSITE[first.comparison])
    report.warning("P033", first.span, f"{quote(words)} flags what scores best", f'did you mean "{better}"?')


def _flags_good_end(condition: Condition) -> bool:
    flags_high = condition.comparison in ("above", "at least")
    return flags_high == (condition.signal.good == "high")


def _check_presence(rule: Rule, settings: Settings, report: Report) -> None:
    if rule.flag.severity not in _BLOCKING:
        return
    for line in rule.scope:
        if settings.fields[line.field] == "sometimes":
            message = f"this {rule.flag.severity} rule never flags events without {line.field}"
            report.warning("P052", rule.span, message, f"settings.yaml says that events carry {line.field} sometimes")
