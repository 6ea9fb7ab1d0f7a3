"""Which exceptions the events needed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from moderator.backtest.replay import ReplayedDecision


@dataclass(slots=True)
class Spares:
    """Events spared under the candidate, by rule and by the exception's recorded name."""

    used: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, case: ReplayedDecision) -> None:
        """Count one event's exceptions."""
        for result in case.candidate.rules:
            if "spared_by" in result:
                self.used[result["rule"], result["spared_by"]] += 1

    def merge(self, other: Self) -> None:
        """Take in what another counted elsewhere."""
        self.used += other.used
