"""How verdicts change from the baseline to the candidate: overall, by rule, and by where events come from."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Self

from moderator.backtest.replay import ReplayedDecision
from moderator.events import RuleResult, Verdict

GroupField = Literal["tenant", "channel", "locale"]
GROUP_FIELDS: tuple[GroupField, ...] = ("tenant", "channel", "locale")

Cell = tuple[Verdict, Verdict]
"""The baseline's verdict, the candidate's."""


@dataclass(slots=True)
class Flips:
    """Events by both verdicts: overall, and by tenant, channel and locale (None: the event names none).

    Attributes:
        actions: events by both actions; None: there is none.
    """

    overall: Counter[Cell] = field(default_factory=Counter)
    actions: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    groups: dict[GroupField, dict[str | None, Counter[Cell]]] = field(
        default_factory=lambda: {name: {} for name in GROUP_FIELDS}
    )

    def add(self, replayed: ReplayedDecision) -> None:
        """Count one event.

        Raises:
            TypeError: tenant, channel or locale is not text.
        """
        cell = replayed.baseline.verdict, replayed.candidate.verdict
        event = replayed.decision["event"]
        self.overall[cell] += 1
        self.actions[replayed.baseline.action, replayed.candidate.action] += 1
        for name, groups in self.groups.items():
            value = event[name]
            group = groups.get(value)
            if group is None:
                if value is not None and not isinstance(value, str):
                    raise TypeError(f"`{name}` is not text")
                group = groups[value] = Counter()
            group[cell] += 1

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.overall += other.overall
        self.actions += other.actions
        for name, groups in other.groups.items():
            for value, cells in groups.items():
                self.groups[name][value] = self.groups[name].get(value, Counter()) + cells


@dataclass(slots=True)
class RuleFlips:
    """By rule: how many events it flags under the baseline, under the candidate, under both, and matches unflagged.

    A rule flags an event when it counts: it matched (or flags because a score is missing) and is live for the event.
    """

    baseline: Counter[str] = field(default_factory=Counter)
    candidate: Counter[str] = field(default_factory=Counter)
    both: Counter[str] = field(default_factory=Counter)
    watched: Counter[str] = field(default_factory=Counter)

    def add(self, replayed: ReplayedDecision) -> None:
        """Count one event."""
        before, after = _flagging(replayed.baseline.rules), _flagging(replayed.candidate.rules)
        if before:
            self.baseline.update(before)
        if after:
            self.candidate.update(after)
            if before:
                self.both.update(set(before) & set(after))
        for result in replayed.candidate.rules:
            if result["outcome"] == "matched" and not result["counted"]:
                self.watched[result["rule"]] += 1

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.baseline += other.baseline
        self.candidate += other.candidate
        self.both += other.both
        self.watched += other.watched


def _flagging(results: list[RuleResult]) -> list[str]:
    return [result["rule"] for result in results if result["counted"]]
