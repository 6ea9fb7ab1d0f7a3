"""What flagging below a limit gives: precision and recall."""

from dataclasses import dataclass

from moderator.evaluation.figures import Floats, Truths


@dataclass(frozen=True, slots=True)
class Threshold:
    """The result of flagging scores below `below`: shares 0..1."""

    below: float
    precision: float
    recall: float
    false_alarms: float


def at_threshold(scores: Floats, is_harmful: Truths, below: float) -> Threshold:
    """Measure flagging everything that scores under `below`."""
    flagged = scores < below
    hits = int((flagged & is_harmful).sum())
    return Threshold(
        below,
        precision=hits / max(1, int(flagged.sum())),
        recall=hits / max(1, int(is_harmful.sum())),
        false_alarms=int((flagged & ~is_harmful).sum()) / max(1, int((~is_harmful).sum())),
    )
