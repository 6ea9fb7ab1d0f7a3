"""Which exceptions of the candidate exempted events."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from moderator.backtest.replay import ReplayedDecision


@dataclass(slots=True)
class ExemptionMatches:
    """Events that the candidate exempts, by rule and by the exception's recorded name."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, replayed: ReplayedDecision) -> None:
        """Count the exceptions that match one event."""
        for result in replayed.candidate.rules:
            if "spared_by" in result:
                self.counts[result["rule"], result["spared_by"]] += 1

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.counts += other.counts
