"""How well scores separate harmful from harmless rows: AUC, precision and recall."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


def auc(scores: Floats, is_positive: Truths) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN if one kind is missing."""
    positives, negatives = int(is_positive.sum()), int((~is_positive).sum())
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = ranks[inverse][is_positive].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


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
