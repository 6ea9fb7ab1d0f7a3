"""Which decisions people should look at, and why: four queues, in each of which a decision is or is not."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from moderator.events import ConditionResult, Decision, RuleResult
from moderator.labels.record import QUEUES, Queue

_NEAR = 0.02
"""A margin of at most this share of its signal's scale is borderline."""
_PREFIX = "mod_"
_DIGITS = 8


class Queues(NamedTuple):
    """What decides where a decision belongs.

    Attributes:
        sample_share: of allowed decisions, 0 to 1; which ones follows from the decision id, so all choose the same.
        scales: by signal, the width of its scale; signals without one are left out.
    """

    sample_share: float
    scales: Mapping[str, float]

    def of(self, decision: Decision) -> list[Queue]:
        """Give every queue that the decision belongs to."""
        return [queue for queue in QUEUES if self.holds(queue, decision)]

    def holds(self, queue: Queue, decision: Decision) -> bool:
        """Tell whether the decision belongs to the queue."""
        match queue:
            case "flagged":
                return decision["verdict"] == "flag"
            case "shadow":
                return decision["shadow_verdict"] != decision["verdict"]
            case "borderline":
                return any(True for _ in self.near(decision))
            case "sample":
                return decision["verdict"] == "allow" and is_sampled(decision["decision_id"], self.sample_share)

    def near(self, decision: Decision) -> Iterator[tuple[RuleResult, ConditionResult]]:
        """Give the conditions of live rules whose score is so near to the limit that it might be otherwise."""
        for result in decision["rules"]:
            if result["mode"] == "live":
                yield from ((result, condition) for condition in result["conditions"] if self._is_near(condition))

    def _is_near(self, condition: ConditionResult) -> bool:
        if condition["borderline"]:
            return True
        width, margin = self.scales.get(condition["signal"]), condition["margin"]
        return width is not None and margin is not None and abs(margin) <= _NEAR * width


def is_sampled(decision_id: str, share: float) -> bool:
    """Tell whether a decision is among the share that everybody draws by its id."""
    try:
        drawn = int(decision_id.removeprefix(_PREFIX)[:_DIGITS], 16)
    except ValueError:
        return False  # not an id of ours
    return drawn < share * (1 << 4 * _DIGITS)
