"""Why a decision waits for a person's word, in words."""

from collections.abc import Iterator

from moderator.events import Decision
from moderator.labels.queues import Queues
from moderator.labels.record import Queue
from moderator.policy import PolicySet

TITLES: dict[Queue, str] = {
    "flagged": "Flagged",
    "shadow": "Shadow rules",
    "borderline": "Borderline",
    "sample": "Sample",
}
ABOUT: dict[Queue, str] = {
    "flagged": "Decisions that flag.",
    "shadow": "Decisions that would be otherwise if every shadow rule were live.",
    "borderline": "Decisions in which a live rule came near to its limit.",
    "sample": "Allowed decisions drawn at random, to learn what is missed.",
}


def queues_of(policies: PolicySet | None, sample_share: float) -> Queues:
    """Give what decides where decisions belong: the scales are those of the folder's signals."""
    return Queues(sample_share, {} if policies is None else _widths(policies))


def reasons_of(queue: Queue, decision: Decision, queues: Queues) -> list[str]:
    """Say why a decision is in a queue."""
    return list(_reasons(queue, decision, queues))


def _reasons(queue: Queue, decision: Decision, queues: Queues) -> Iterator[str]:
    match queue:
        case "flagged":
            counting = [rule["rule"] for rule in decision["rules"] if rule["counted"]]
            yield f"flagged by {', '.join(counting)}" if counting else f"flagged: {', '.join(decision['reasons'])}"
        case "shadow":
            shadow = [
                rule["rule"] for rule in decision["rules"] if rule["mode"] == "shadow" and rule["outcome"] == "matched"
            ]
            yield f"{', '.join(shadow) or 'a shadow rule'} would make it {decision['shadow_verdict']}"
        case "borderline":
            for rule, condition in queues.near(decision):
                margin = condition["margin"]
                near = "borderline" if margin is None else f"{abs(margin):g} from the limit"
                yield f"{rule['rule']}: {condition['signal']} {condition['phrase']} is {near}"
        case "sample":
            yield f"allowed, and drawn for the sample of {queues.sample_share:.2%}"


def _widths(policies: PolicySet) -> dict[str, float]:
    scales = {signal.name: signal.scale for signal in policies.signals}
    return {
        name: float(scale.high - scale.low)
        for name, scale in scales.items()
        if scale.low is not None and scale.high is not None
    }
