"""Replay fidelity: does the baseline reproduce its own recorded decisions, to the last margin?"""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from moderator.backtest.replay import ReplayedDecision
from moderator.events import Decision, RuleResult
from moderator.policy import Judgement

KEPT = 10


@dataclass(frozen=True, slots=True, order=True)
class UnreproducedDecision:
    """A decision that the baseline does not reproduce; `what` names the first part that differs, and both values."""

    position: tuple[int, int]
    decision_id: str
    event_id: str
    what: str


class Fidelity:
    """Counts, over the decisions of one snapshot, how many are reproduced exactly.

    Attributes:
        differing: decisions of the snapshot that are not reproduced.
        unreproduced: the first ten of these.
        snapshots: decisions by the snapshot that made them.
    """

    def __init__(self, snapshot: str) -> None:
        self.snapshot = snapshot
        self.differing = 0
        self.unreproduced: list[UnreproducedDecision] = []
        self.snapshots: Counter[str] = Counter()

    @property
    def compared(self) -> int:
        """Decisions that the baseline's snapshot made."""
        return self.snapshots[self.snapshot]

    def add(self, replayed: ReplayedDecision) -> None:
        """Compare one decision if the snapshot made it."""
        snapshot = replayed.decision["policy"]["snapshot"]
        self.snapshots[snapshot] += 1
        if snapshot != self.snapshot or _is_reproduced(replayed.decision, replayed.baseline):
            return
        self.differing += 1
        if len(self.unreproduced) < KEPT:
            decision = replayed.decision
            what = _first_difference(decision, replayed.baseline)
            self.unreproduced.append(
                UnreproducedDecision(replayed.position, decision["decision_id"], decision["event"]["id"], what)
            )

    def merge(self, other: Self) -> None:
        """Add what another process counted."""
        self.differing += other.differing
        self.unreproduced = sorted([*self.unreproduced, *other.unreproduced])[:KEPT]
        self.snapshots += other.snapshots


def _is_reproduced(decision: Decision, replayed: Judgement) -> bool:
    return (
        decision["verdict"] == replayed.verdict
        and decision["rules"] == replayed.rules
        and decision["scores"]["signals"] == replayed.signals
        and decision["shadow_verdict"] == replayed.shadow_verdict
        and decision["severity"] == replayed.severity
        and decision["reasons"] == replayed.reasons
        and decision["labels"] == replayed.labels
        and decision["status"] == replayed.status
        # older records lack these, and null and empty say the same
        and decision.get("action") == replayed.action
        and decision.get("queues", []) == replayed.queues
        and decision.get("notify", []) == replayed.notify
        and decision.get("shadow_action") == replayed.shadow_action
    )


def _first_difference(decision: Decision, replayed: Judgement) -> str:
    pairs: list[tuple[str, object, object]] = [
        ("verdict", decision["verdict"], replayed.verdict),
        ("status", decision["status"], replayed.status),
        ("severity", decision["severity"], replayed.severity),
        ("reasons", decision["reasons"], replayed.reasons),
        ("labels", decision["labels"], replayed.labels),
        ("action", decision.get("action"), replayed.action),
        ("queues", decision.get("queues", []), replayed.queues),
        ("notify", decision.get("notify", []), replayed.notify),
        ("shadow_action", decision.get("shadow_action"), replayed.shadow_action),
        ("shadow_verdict", decision["shadow_verdict"], replayed.shadow_verdict),
        ("signals", decision["scores"]["signals"], replayed.signals),
    ]
    differing = [(name, was, comes) for name, was, comes in pairs if was != comes]
    if not differing:
        return _rule_difference(decision["rules"], replayed.rules)
    name, was, comes = differing[0]
    return f"{name}: recorded {_shown(was)}, replayed {_shown(comes)}"


def _rule_difference(recorded: list[RuleResult], replayed: list[RuleResult]) -> str:
    was = {result["rule"]: result for result in recorded}
    comes = {result["rule"]: result for result in replayed}
    rule = min((name for name in was.keys() | comes.keys() if was.get(name) != comes.get(name)), default=None)
    if rule is None:
        return "rules: recorded in another order, or one of them twice"
    outcomes = [side[rule]["outcome"] if rule in side else "not listed" for side in (was, comes)]
    if outcomes[0] == outcomes[1]:
        return f"rule {rule}: same outcome, other scores or margins"
    return f"rule {rule}: recorded {outcomes[0]}, replayed {outcomes[1]}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
