"""The events nearest to the candidate's limits: a small change affects these first. Ids, never text."""

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from moderator.backtest.replay import ReplayedDecision

KEPT = 5


class Near(NamedTuple):
    """One event near one limit; ordered by distance, then by place, so that ties always have the same order.

    Attributes:
        margin: on the signal's scale; positive means that the comparison holds.
    """

    distance: float
    position: tuple[int, int]
    event_id: str
    tenant: str | None
    score: float | None
    margin: float


ConditionKey = tuple[str, int]
"""A rule's id, and which of its comparisons, first those of `when`, then those of `unless`, from 0."""


@dataclass(slots=True)
class Nearest:
    """The five nearest events to each comparison of each rule that applied to them, nearest first."""

    events: dict[ConditionKey, list[Near]] = field(default_factory=dict)

    def add(self, replayed: ReplayedDecision) -> None:
        """Count one event's margins."""
        for result in replayed.candidate.rules:
            for index, condition in enumerate(result["conditions"]):
                margin = condition["margin"]
                if margin is None:
                    continue
                key = result["rule"], index
                kept = self.events.get(key)
                if kept is None:
                    kept = self.events[key] = []
                distance = abs(margin)
                if len(kept) < KEPT or distance < kept[-1][0]:
                    event = replayed.decision["event"]
                    near = Near(distance, replayed.position, event["id"], event["tenant"], condition["score"], margin)
                    kept.append(near)
                    kept.sort()
                    del kept[KEPT:]

    def merge(self, other: Self) -> None:
        """Add what another process found."""
        for key, found in other.events.items():
            self.events[key] = sorted([*self.events.get(key, []), *found])[:KEPT]
