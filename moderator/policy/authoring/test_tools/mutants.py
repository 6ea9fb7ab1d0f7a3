"""Small wrong changes to a rule, such as people make by mistake."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from moderator.policy.authoring.test_tools.nudge import nudge_of
from moderator.policy.language.ast import Condition, Expression, Group, Rule
from moderator.policy.language.bounds import GREATEST_PERCENT, LEAST_PERCENT
from moderator.policy.language.comparisons import Comparison
from moderator.policy.language.scale import show
from moderator.policy.syntax.diagnostics import Span

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change to one rule; `change` says which, `span` where; `is_at_limit`: a test near the limit notices it."""

    rule: Rule
    change: str
    span: Span
    is_at_limit: bool = False


def mutants_of(rule: Rule, actions: Sequence[str] = ()) -> Iterator[Mutant]:
    """Give each small change: limits moved, below and at most swapped, all and any swapped, exceptions dropped.

    Args:
        rule: the rule as it is.
        actions: of settings.yaml, mildest first; a flag's action is moved one step to either side.
    """
    yield from _with_other_conditions(rule)
    yield from _for_other_events(rule)
    # no test can expect the action of a rule that only watches
    if rule.mode == "live" and rule.flag is not None and rule.flag.action is not None:
        place = actions.index(rule.flag.action)
        for action in (*actions[max(0, place - 1) : place], *actions[place + 1 : place + 2]):
            flag = replace(rule.flag, action=action)
            yield Mutant(replace(rule, flag=flag), f"action {rule.flag.action} -> {action}", rule.span)


def _with_other_conditions(rule: Rule) -> Iterator[Mutant]:
    for when, change, span, is_at_limit in _changed(rule.when) if rule.when else ():
        yield Mutant(replace(rule, when=when), change, span, is_at_limit)
    if rule.unless is not None:
        for unless, change, span, is_at_limit in _changed(rule.unless):
            yield Mutant(replace(rule, unless=unless), f"unless {change}", span, is_at_limit)
        yield Mutant(replace(rule, unless=None), "without unless", rule.span)


def _for_other_events(rule: Rule) -> Iterator[Mutant]:
    for number, exempt_scopes in enumerate(_with_one_less(rule.exempt_scopes), start=1):
        yield Mutant(replace(rule, exempt_scopes=exempt_scopes), f"without item {number} of except", rule.span)
    for number, item in enumerate(rule.exempt_scopes, start=1):
        for line, less in zip(item, _with_one_less(item), strict=True) if len(item) > 1 else ():
            items = (*rule.exempt_scopes[: number - 1], less, *rule.exempt_scopes[number:])
            change = f"without {line.field} in item {number} of except"
            yield Mutant(replace(rule, exempt_scopes=items), change, rule.span)
    for line, scope in zip(rule.scope, _with_one_less(rule.scope), strict=True):
        yield Mutant(replace(rule, scope=scope), f"without applies_to {line.field}", rule.span)
    if rule.starts_ms is not None:
        yield Mutant(replace(rule, starts_ms=None), "without starts", rule.span)
    if rule.until_ms is not None:
        yield Mutant(replace(rule, until_ms=None), "without until", rule.span)


def _changed(expression: Expression) -> Iterator[tuple[Expression, str, Span, bool]]:
    """Give the expression with one thing changed, what that is, where, and whether it is at a limit."""
    if isinstance(expression, Condition):
        for changed in _changed_comparisons(expression):
            words = f"{expression.signal.name} {expression.phrase} -> {changed.phrase}"
            yield changed, words, expression.span, True
        return
    for index, part in enumerate(expression.parts):
        for changed_part, words, span, is_at_limit in _changed(part):
            parts = (*expression.parts[:index], changed_part, *expression.parts[index + 1 :])
            yield Group(expression.kind, parts), words, span, is_at_limit
    if len(expression.parts) > 1:
        other: Group = Group("any" if expression.kind == "all" else "all", expression.parts)
        yield other, f"{expression.kind} -> {other.kind}", _span_of(expression), False


def _changed_comparisons(condition: Condition) -> Iterator[Condition]:
    if condition.percent is not None:
        yield from _nudged_percents(condition, condition.percent)
    if condition.limit is None:
        return
    if condition.comparison.slip is not None:
        yield _with_limit(condition, condition.comparison.slip, condition.limit)
    step, scale = nudge_of(condition.signal, condition.limit), condition.signal.scale
    for limit in (condition.limit - step, condition.limit + step):
        if (scale.low is None or scale.low <= limit) and (scale.high is None or limit <= scale.high):
            yield _with_limit(condition, condition.comparison, limit)


def _with_limit(condition: Condition, comparison: Comparison, limit: Fraction) -> Condition:
    number = condition.comparison.number_in(condition.phrase) if limit == condition.limit else show(limit)
    return replace(condition, comparison=comparison, limit=limit, phrase=comparison.write(number or ""))


def _nudged_percents(condition: Condition, percent: Fraction) -> Iterator[Condition]:
    step = Fraction(1) if percent > 1 else Fraction(1, 10)
    for nudged in (percent - step, percent + step):
        if LEAST_PERCENT <= nudged <= GREATEST_PERCENT:
            yield replace(condition, percent=nudged, phrase=condition.comparison.write(f"{show(nudged)}%"))


def _span_of(expression: Expression) -> Span:
    return expression.span if isinstance(expression, Condition) else _span_of(expression.parts[0])


def _with_one_less(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    for index in range(len(items)):
        yield (*items[:index], *items[index + 1 :])
