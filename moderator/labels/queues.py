"""Which decisions people should look at, and why: four queues, in each of which a decision is or is not."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from moderator.events import ConditionResult, Decision, RuleResult, Verdict
from moderator.labels.record import QUEUES, Queue

Margins = tuple[tuple[str, float], ...]
"""Of the conditions of live rules: signal, and the margin on its scale that is nearest to 0."""

_NEAR = 0.02
"""A margin of at most this share of its signal's scale is borderline."""
_PREFIX = "mod_"
_DIGITS = 8


class Reviewable(Protocol):
    """What of a decision the queues go by."""

    @property
    def decision_id(self) -> str:
        """The decision's id."""
        ...

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict."""
        ...

    @property
    def shadow_verdict(self) -> Verdict:
        """The verdict had all shadow rules been live."""
        ...

    @property
    def is_borderline(self) -> bool:
        """Whether a condition of a live rule says so of itself."""
        ...

    @property
    def margins(self) -> Margins:
        """As `margins_of` gives them."""
        ...


class Queues(NamedTuple):
    """What decides where a decision belongs.

    Attributes:
        sample_share: of allowed decisions, 0 to 1; which ones follows from the decision id, so all choose the same.
        widths: by signal, how wide its scale is; signals whose scale has not two ends are left out.
    """

    sample_share: float
    widths: Mapping[str, float]

    def of(self, decision: Reviewable) -> list[Queue]:
        """Give every queue that the decision belongs to."""
        return [queue for queue in QUEUES if self.holds(queue, decision)]

    def holds(self, queue: Queue, decision: Reviewable) -> bool:
        """Check whether the decision belongs to the queue."""
        match queue:
            case "flagged":
                return decision.verdict == "flag"
            case "shadow":
                return decision.shadow_verdict != decision.verdict
            case "borderline":
                return decision.is_borderline or any(self._is_near(*each) for each in decision.margins)
            case "sample":
                return decision.verdict == "allow" and is_sampled(decision.decision_id, self.sample_share)

    def near(self, decision: Decision) -> list[tuple[RuleResult, ConditionResult]]:
        """Give the conditions of live rules whose score is so near to the limit that it might be otherwise."""
        return [
            (result, condition)
            for result, condition in _live_conditions(decision)
            if condition["borderline"]
            or (condition["margin"] is not None and self._is_near(condition["signal"], condition["margin"]))
        ]

    def _is_near(self, signal: str, margin: float) -> bool:
        width = self.widths.get(signal)
        return width is not None and abs(margin) <= _NEAR * width


def margins_of(decision: Decision) -> tuple[bool, Margins]:
    """Say whether a condition of a live rule is borderline by its own word, and how near each signal is to a limit."""
    nearest: dict[str, float] = {}
    is_borderline = False
    for _, condition in _live_conditions(decision):
        is_borderline = is_borderline or condition["borderline"]
        margin, signal = condition["margin"], condition["signal"]
        if margin is not None and abs(margin) <= abs(nearest.get(signal, margin)):
            nearest[signal] = margin
    return is_borderline, tuple(nearest.items())


def is_sampled(decision_id: str, share: float) -> bool:
    """Check whether a decision is among the share that everybody draws by its id."""
    try:
        drawn = int(decision_id.removeprefix(_PREFIX)[:_DIGITS], 16)
    except ValueError:
        return False  # not an id of ours
    return drawn < share * (1 << 4 * _DIGITS)


def _live_conditions(decision: Decision) -> Iterator[tuple[RuleResult, ConditionResult]]:
    for result in decision["rules"]:
        if result["mode"] == "live":
            yield from ((result, condition) for condition in result["conditions"])
