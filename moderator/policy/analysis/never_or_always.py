"""Rules that match never, or always, whatever the scores are."""

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

from moderator.policy.language.ast import Calibration, Condition, Expression, Rule, Signal
from moderator.policy.language.bounds import bounds_of
from moderator.policy.language.scale import MAX_FACT, MILLION
from moderator.policy.language.score_regions import Regions, ScoreRegions, score_regions, with_bounds
from moderator.policy.language.text_source import TextSource
from moderator.policy.syntax.diagnostics import Diagnostics, Span
from moderator.policy.text.patterns import MOST_PLACES


def check_never_or_always(rule: Rule, calibrations: Iterable[Calibration | None], diagnostics: Diagnostics) -> None:
    """Report a rule that matches never, or always, whichever model's calibration it uses."""
    found = [_never_or_always(rule, calibration) for calibration in calibrations]
    first = found[0]
    if first is not None and all(other is not None and other.code == first.code for other in found):
        diagnostics.error(*first)


class _Found(NamedTuple):
    code: str
    span: Span
    message: str
    hint: str = "fix or remove the rule"


def _never_or_always(rule: Rule, calibration: Calibration | None) -> _Found | None:
    clash = _clash(_required(rule.when), calibration)
    if clash is not None:
        first, second = clash
        message = f"this rule can never match: {_need(first)} and {_need(second)}"
        return _Found("P051", first.span, message, 'should these be under "any:"?')
    if not rule.conditions:
        return None
    impossible = next((each for each in _required(rule.when) if _is_impossible(each)), None)
    if impossible is not None:
        return _Found("P051", impossible.span, f"this rule can never match: {_why_impossible(impossible)}")
    bounded = with_bounds(rule, calibration)
    regions = score_regions(bounded) if bounded else None
    if bounded is None or regions is None:
        return None
    truth = regions.truth(bounded)
    possible = _possible(rule, regions)
    if not truth.holds & possible:
        return _Found("P051", rule.conditions[0].span, "this rule can never match: no scores satisfy it")
    if not truth.fails & possible:
        return _Found("P050", rule.conditions[0].span, "this rule matches whatever the scores are")
    return None


def _required(expression: Expression | None) -> list[Condition]:
    """Give every comparison that must hold for the expression to hold."""
    if expression is None:
        return []
    if isinstance(expression, Condition):
        return [expression]
    if expression.kind == "any" and len(expression.parts) > 1:
        return []
    return [condition for part in expression.parts for condition in _required(part)]


def _clash(conditions: list[Condition], calibration: Calibration | None) -> tuple[Condition, Condition] | None:
    pairs = combinations(conditions, 2)
    return next((pair for pair in pairs if pair[0].signal is pair[1].signal and _exclude(*pair, calibration)), None)


def _exclude(first: Condition, second: Condition, calibration: Calibration | None) -> bool:
    if not (first.comparison.has_limit and second.comparison.has_limit):
        return first.comparison != second.comparison
    bounds, other = bounds_of(first, calibration), bounds_of(second, calibration)
    if bounds is None or other is None:
        return False
    low, high = max(bounds[0], other[0]), min(bounds[1], other[1])
    return low > high or not _has_number_between(first.signal, low, high)


def _need(condition: Condition) -> str:
    return f"line {condition.span.line} needs {condition.signal.name} {condition.phrase}"


def _is_impossible(condition: Condition) -> bool:
    """Whether no text gives a text signal a number for which a comparison holds."""
    signal = condition.signal
    if signal.text is None:
        return False
    if not condition.comparison.has_limit:
        return not signal.can_be_missing
    bounds = bounds_of(condition, None)
    return bounds is not None and not _has_number_between(signal, *bounds)


def _has_number_between(signal: Signal, low: int, high: int) -> bool:
    """Whether there is a number between two in millionths, both included; of scores and facts any number is one."""
    if signal.text is None:
        return True
    numbers = _numbers_of(signal.text)
    first = max(0, -(-low // numbers.step)) * numbers.step
    return first <= high and first in numbers


def _possible(rule: Rule, regions: ScoreRegions) -> Regions:
    """Give where every text signal has a number that a text can give it."""
    texts = {each.signal.axis: each.signal for each in rule.conditions if each.signal.kind == "text"}
    numbers = {axis: _numbers_of(signal.text) for axis, signal in texts.items() if signal.text is not None}
    never_missing = {axis for axis, signal in texts.items() if not signal.can_be_missing}
    return regions.with_one_of(numbers, never_missing)


def _numbers_of(source: TextSource) -> range:
    """Give the numbers in millionths that a text can give a signal: a list is counted by the entries that occur."""
    if source.kind == "capitals":
        return range(MILLION + 1)
    most = MAX_FACT
    if source.counts_places:
        most = MOST_PLACES
    elif source.entries is not None:
        most = len(source.entries.entries)
    return range(0, most * MILLION + 1, MILLION)


def _why_impossible(condition: Condition) -> str:
    """Say which numbers a text signal has instead."""
    signal = condition.signal
    assert signal.text is not None
    if not condition.comparison.has_limit:
        return f"{signal.name} is never missing, since every event has a judged message"
    numbers = _numbers_of(signal.text)
    if numbers.step == 1:
        return f"{signal.name} is from 0 to 1"
    if signal.text.entries is None:
        return f"{signal.name} is a whole number"
    what = "places" if signal.text.counts_places else "entries that occur"
    return f"{signal.name} counts {what}, up to {numbers[-1] // MILLION:,}"
