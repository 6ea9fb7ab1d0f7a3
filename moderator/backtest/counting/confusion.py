"""What people said of the events, by what the policies say of them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from moderator.backtest.counting.flips import Cell
from moderator.backtest.labels import Key
from moderator.backtest.replay import ReplayedDecision
from moderator.events import Verdict


@dataclass(slots=True)
class Confusion:
    """Labelled events by both verdicts and the label; which labels found an event."""

    cells: Counter[tuple[Cell, Verdict]] = field(default_factory=Counter)
    found: set[Key] = field(default_factory=set)

    def add(self, case: ReplayedDecision, key: Key) -> None:
        """Count one event that the label under `key` is of."""
        assert case.label is not None
        self.cells[(case.baseline.verdict, case.candidate.verdict), case.label] += 1
        self.found.add(key)

    def merge(self, other: Self) -> None:
        """Take in what another counted elsewhere."""
        self.cells += other.cells
        self.found |= other.found
