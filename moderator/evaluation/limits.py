"""The limits at which an objective is measured: those of rules that use it, else those that are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from moderator.errors import ConfigurationError
from moderator.evaluation.figures import Floats, Truths
from moderator.policy import PolicySet
from moderator.policy.language.ast import Condition
from moderator.policy.language.scale import micro_from


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of one objective.

    Attributes:
        number: a score on the scale of the rule's signal, else a raw score.
        source: the rule, `POLICY/RULE`, or `--limit`.
        is_high_good: a label below 0.5 is the bad end.
        condition: the rule's, which says how the number is compared; None for a raw score.
    """

    objective: str
    number: Fraction
    source: str
    is_high_good: bool
    condition: Condition | None = None

    def flags(self, scores: Floats) -> Truths:
        """Give which of n raw scores are flagged, as a rule compares them."""
        if self.condition is None:
            number = float(self.number)
            return scores < number if self.is_high_good else scores >= number
        scale = self.condition.signal.scale
        low, high = self.condition.comparison.bounds(scale.micro_of(self.number), is_reversed=scale.is_reversed)
        return np.array([low <= micro_from(score) <= high for score in scores.tolist()], dtype=np.bool_)


def limits_of(
    policies: PolicySet | None, asked: Mapping[str, Sequence[Fraction]], objectives: Sequence[str]
) -> list[Limit]:
    """Give the limits of each objective: of live and shadow rules, or those that are asked for where no rule has one.

    Args:
        policies: None: there are none.
        asked: raw scores by objective.
        objectives: of the model.

    Raises:
        ConfigurationError: a limit is asked for of an objective that the model lacks.
    """
    unknown = sorted(asked.keys() - set(objectives))
    if unknown:
        raise ConfigurationError(
            f"`--limit {unknown[0]}`: the model has no such objective; it has {', '.join(objectives)}"
        )
    of_rules = [] if policies is None else list(_of_rules(policies))
    high_is_good = {} if policies is None else {each.objective: each.good != "low" for each in policies.signals}
    ruled = {limit.objective for limit in of_rules}
    return of_rules + [
        Limit(name, number, "--limit", high_is_good.get(name, True))
        for name, numbers in asked.items()
        if name not in ruled
        for number in numbers
    ]


def _of_rules(policies: PolicySet) -> Iterator[Limit]:
    for rule in policies.active_rules:
        for condition in rule.conditions:
            signal = condition.signal
            if condition.limit is not None and signal.objective:
                yield Limit(signal.objective, condition.limit, rule.id, signal.good != "low", condition)
