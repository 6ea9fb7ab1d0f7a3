"""Events whose verdict flips, and the rules behind it; nearest to a limit or newest first. Ids and numbers alone."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from moderator.backtest.replay import ReplayedDecision
from moderator.events import ConditionResult, RuleResult, Verdict
from moderator.policy import PolicySet

KEPT = 1_000


@dataclass(frozen=True, slots=True)
class ExampleCondition:
    """One comparison of a rule behind a flip, as the candidate judges it; as the baseline does if only that has it.

    Attributes:
        score, margin: on the signal's scale; a positive margin means that the comparison holds; None without a score.
    """

    rule: str
    signal: str
    phrase: str
    score: float | None
    margin: float | None


class Example(NamedTuple):
    """One event whose verdict flips; ordered by distance, then by place, so that ties always have the same order.

    Attributes:
        distance: of the score that is nearest to its limit, as a share of the signal's scale; infinite without one.
        rules: those that flag the event in one of the sets alone, by id.
    """

    distance: float
    position: tuple[int, int]
    decision_id: str
    event_id: str
    tenant: str | None
    before: Verdict
    after: Verdict
    rules: tuple[str, ...]
    conditions: tuple[ExampleCondition, ...]


@dataclass(slots=True)
class Examples:
    """The thousand events with a flip that are nearest to a limit, or the newest of each kind of flip.

    Attributes:
        widths: how wide the scale of each signal with two ends is.
        newest: how many of each kind; None: those nearest to a limit are kept.
    """

    widths: Mapping[str, float]
    newest: int | None = None
    found: list[Example] = field(default_factory=list)

    @property
    def kept(self) -> list[Example]:
        """The events found: nearest first, or allowed ones that are flagged and then the others, newest first."""
        if self.newest is None:
            return sorted(self.found)[:KEPT]
        by_time = sorted(self.found, key=lambda each: each.position, reverse=True)
        kinds = ([each for each in by_time if each.before == before] for before in ("allow", "flag"))
        return [each for kind in kinds for each in kind[: self.newest]]

    def add(self, replayed: ReplayedDecision) -> None:
        """Keep an event if its verdict flips."""
        before, after = replayed.baseline.verdict, replayed.candidate.verdict
        if before == after:
            return
        changed = list(_changed(replayed.baseline.rules, replayed.candidate.rules))
        conditions = [(result["rule"], condition) for result in changed for condition in result["conditions"]]
        event = replayed.decision["event"]
        self.found.append(
            Example(
                min((self._distance(condition) for _, condition in conditions), default=math.inf),
                replayed.position,
                replayed.decision["decision_id"],
                event["id"],
                event["tenant"],
                before,
                after,
                tuple(result["rule"] for result in changed),
                tuple(
                    ExampleCondition(rule, each["signal"], each["phrase"], each["score"], each["margin"])
                    for rule, each in conditions
                ),
            )
        )
        self._trim(2 * KEPT)

    def merge(self, other: Self) -> None:
        """Add what another process found."""
        self.found += other.found
        self._trim(KEPT)

    def _trim(self, most: int) -> None:
        if len(self.found) > most:
            self.found = self.kept

    def _distance(self, condition: ConditionResult) -> float:
        margin, score = condition["margin"], condition["score"]
        if margin is None or score is None:
            return math.inf
        # without two ends the numbers themselves say how large a step is
        return abs(margin) / (self.widths.get(condition["signal"]) or max(abs(score), abs(margin), 1.0))


def no_examples(*sets: PolicySet, newest: int | None = None) -> Examples:
    """Give what collects the examples of a comparison of policy sets; the last one's scales count."""
    scales = {signal.name: signal.scale for policies in sets for signal in policies.signals}
    return Examples(
        {
            name: float(scale.high - scale.low)
            for name, scale in scales.items()
            if scale.low is not None and scale.high is not None
        },
        newest,
    )


def _changed(before: Iterable[RuleResult], after: Iterable[RuleResult]) -> Iterator[RuleResult]:
    """Give each rule that flags in one of the two alone; what the candidate says of it, if it says anything."""
    was = {result["rule"]: result for result in before}
    now = {result["rule"]: result for result in after}
    for rule in sorted(was.keys() | now.keys()):
        sides = [side[rule]["counted"] if rule in side else False for side in (was, now)]
        if sides[0] != sides[1]:
            yield now.get(rule) or was[rule]
