"""Scales and rules checked against a model that gives probabilities: can its scores reach them?"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from moderator.policy.language.ast import Calibration, Condition, Expression, Group, Rule, Signal
from moderator.policy.language.scale import MILLION, Scale, show
from moderator.policy.language.score_regions import score_regions, with_bounds
from moderator.policy.syntax.diagnostics import Diagnostics, quote

_GIVES = "this model gives probabilities from 0 to 1"


def check_reach(
    rules: Iterable[Rule],
    signals: Iterable[Signal],
    objectives: Sequence[str],
    calibration: Calibration | None,
    diagnostics: Diagnostics,
) -> None:
    """Report scales that go beyond a probability's, and rules that no probability or every one satisfies.

    Args:
        rules: the live and shadow ones.
        signals: every declared one.
        objectives: of the model; signals that are read from others are left out.
        calibration: the one that signals.yaml names for the model.
        diagnostics: receives them.
    """
    for signal in signals:
        if signal.objective in objectives and _exceeds(signal.scale):
            diagnostics.error("P064", signal.span, f"{_GIVES}, so {_spans(signal)}", _fix(signal.scale))
    for rule in rules:
        scores = [condition.signal for condition in rule.conditions if condition.signal.kind == "score"]
        if scores and all(objective in objectives for signal in scores for objective in signal.objectives):
            _check_rule(rule, calibration, diagnostics)


def _exceeds(scale: Scale) -> bool:
    if scale.low is None or scale.high is None:
        return False
    least, greatest = _reach(scale)
    return scale.low < least or scale.high > greatest


def _reach(scale: Scale) -> list[Fraction]:
    """Give the least and the greatest score of a probability."""
    return sorted((scale.add, scale.multiply + scale.add))


def _spans(signal: Signal) -> str:
    scale = signal.scale
    assert scale.low is not None
    assert scale.high is not None
    least, greatest, low, high = map(show, (*_reach(scale), scale.low, scale.high))
    return f"{signal.name} is from {least} to {greatest}, not from {low} to {high}"


def _check_rule(rule: Rule, calibration: Calibration | None, diagnostics: Diagnostics) -> None:
    bounded = with_bounds(_of_probabilities(rule), calibration)
    regions = score_regions(bounded) if bounded else None
    if bounded is None or regions is None:
        return
    truth = regions.truth(bounded)
    if truth.holds and truth.fails:
        return
    condition = rule.conditions[0]
    says = "always matches" if truth.holds else "can never match"
    phrase = quote(condition.phrase) if len(rule.conditions) == 1 else "this rule"
    scales = [each.signal.scale for each in rule.conditions if _exceeds(each.signal.scale)]
    hint = _fix(scales[0]) if scales else "fix or remove the rule"
    diagnostics.error("P064", condition.span, f"{_GIVES}, so {phrase} {says}", hint)


def _fix(scale: Scale) -> str:
    """Say how the scale would span what the model gives."""
    assert scale.low is not None
    assert scale.high is not None
    width = scale.high - scale.low
    multiply, add = (-width, scale.high) if scale.is_reversed else (width, scale.low)
    return f"write multiply: {show(multiply)}" + (f" and add: {show(add)}" if add else "")


def _of_probabilities(rule: Rule) -> Rule:
    """Give the rule as it is where every reward is from 0 to 1."""
    when, unless = (None if each is None else _limited(each) for each in (rule.when, rule.unless))
    return replace(rule, when=when, unless=unless)


def _limited(expression: Expression) -> Expression:
    if isinstance(expression, Condition):
        return replace(expression, signal=_within(expression.signal))
    return Group(expression.kind, tuple(_limited(part) for part in expression.parts))


def _within(signal: Signal) -> Signal:
    if signal.kind != "score":
        return signal
    least, greatest = signal.plausible
    members = tuple(_within(member) for member in signal.members)
    return replace(signal, plausible=(max(least, 0), min(greatest, MILLION)), members=members)
