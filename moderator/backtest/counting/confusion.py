"""Labels that people gave the events, by the policies' verdicts."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from moderator.backtest.counting.flips import Cell
from moderator.backtest.labels import Key
from moderator.backtest.replay import ReplayedDecision
from moderator.events import Verdict


@dataclass(slots=True)
class Confusion:
    """Labelled events by both verdicts and the label; which labels belong to an event."""

    cells: Counter[tuple[Cell, Verdict]] = field(default_factory=Counter)
    found: set[Key] = field(default_factory=set)

    def add(self, replayed: ReplayedDecision, key: Key) -> None:
        """Count one event; `key` is its label's."""
        assert replayed.label is not None
        self.cells[(replayed.baseline.verdict, replayed.candidate.verdict), replayed.label] += 1
        self.found.add(key)

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.cells += other.cells
        self.found |= other.found
