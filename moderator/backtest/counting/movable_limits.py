"""The comparisons of a rule that have a limit to move, and the limit that each of two policy sets gives them."""

from collections.abc import Iterator
from fractions import Fraction

from moderator.events import Part
from moderator.policy import PolicySet
from moderator.policy.language.ast import Condition, Rule
from moderator.policy.language.bounds import score_limit


def movable(rule: Rule) -> Iterator[tuple[int, Condition]]:
    """Yield each comparison of a rule that has a limit to move, with its number."""
    for index, condition in enumerate(rule.conditions):
        if condition.comparison.has_limit:
            yield index, condition


def limit_of(condition: Condition, policies: PolicySet, model: str | None) -> Fraction | None:
    """Give a comparison's limit on the signal's scale; percent limits are the model's, None without quantiles."""
    return score_limit(condition, policies.calibration_of(model))


def limit_before(baseline: PolicySet, rule: Rule, index: int, model: str | None) -> Fraction | None:
    """Give the limit of the baseline's comparison in the same place: part, signal, and which of these."""
    before = next((each for each in baseline.active_rules if each.id == rule.id), None)
    if before is None:
        return None
    same = [number for number, _ in movable(rule) if _place(rule, number) == _place(rule, index)].index(index)
    matching = [each for number, each in movable(before) if _place(before, number) == _place(rule, index)]
    return limit_of(matching[same], baseline, model) if same < len(matching) else None


def _place(rule: Rule, index: int) -> tuple[Part, str]:
    return rule.part_of(index), rule.conditions[index].signal.name
