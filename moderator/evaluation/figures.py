"""Figures of scores against labels: AUC and average precision with intervals; shares at a limit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moderator.labels.rates import wilson

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

DRAWS = 1_000
_SEED = 1


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well scores order rows.

    Attributes:
        auc: chance that a row labelled 1 scores above one labelled 0, ties half; None where one side is absent.
        auc_low, auc_high: ends of its 95% interval: 1,000 bootstrap draws over conversations.
        average_precision: mean precision over the rows labelled 1, in falling order of score.
    """

    auc: float | None
    auc_low: float | None
    auc_high: float | None
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class AtLimit:
    """What flagging at a limit gives: counts, and shares with their 95% Wilson intervals, None without rows."""

    flagged: int
    right: int
    bad: int
    rows: int

    @property
    def shares(self) -> dict[str, float | None]:
        """Precision, recall and false alarms, 0 to 1, precision with its interval."""
        low, high = wilson(self.right, self.flagged) if self.flagged else (None, None)
        return {
            "precision": _share(self.right, self.flagged),
            "precision_low": low,
            "precision_high": high,
            "recall": _share(self.right, self.bad),
            "false_alarms": _share(self.flagged - self.right, self.rows - self.bad),
        }


def ranking(scores: Floats, is_one: Truths, units: Sequence[str]) -> Ranking:
    """Measure n rows; rows of one unit are drawn together."""
    if is_one.all() or not is_one.any():
        return Ranking(None, None, None, None)
    draws = _draws(scores, is_one, units)
    low, high = np.quantile(draws, (0.025, 0.975)) if draws else (None, None)
    return Ranking(
        auc(scores, is_one),
        None if low is None else float(low),
        None if high is None else float(high),
        average_precision(scores, is_one),
    )


def auc(scores: Floats, is_one: Truths) -> float:
    """The chance that a row labelled 1 scores above one labelled 0, ties half; NaN where one kind is missing."""
    _, place = np.unique(scores, return_inverse=True)
    return _auc(np.bincount(place, is_one), np.bincount(place, ~is_one))


def average_precision(scores: Floats, is_one: Truths) -> float:
    """The mean, over the rows labelled 1, of the precision of flagging all that score as high or higher."""
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], is_one[order]
    last_of_its_score = np.append(ordered[1:] != ordered[:-1], True)
    flagged = np.arange(1, len(scores) + 1)[last_of_its_score]
    right = hits.cumsum()[last_of_its_score]
    gained = np.diff(right, prepend=0)
    return float((gained * right / flagged).sum() / right[-1])


def at_limit(flags: Truths, is_bad: Truths) -> AtLimit:
    """Count what flagging these rows gives."""
    return AtLimit(int(flags.sum()), int((flags & is_bad).sum()), int(is_bad.sum()), len(flags))


def rounded(number: float | None) -> float | None:
    """Round a figure as reports hold it."""
    return None if number is None else round(number, 6)


def _auc(ones: NDArray[Any], zeros: NDArray[Any]) -> float:
    """The same from how many rows of each kind have the lowest score, the next one, and so on."""
    pairs = ones.sum() * zeros.sum()
    return float((ones * (zeros.cumsum() - zeros / 2)).sum() / pairs) if pairs else math.nan


def _draws(scores: Floats, is_one: Truths, units: Sequence[str]) -> list[float]:
    """AUCs of rows drawn again by unit; a draw with one side alone says nothing."""
    _, place = np.unique(scores, return_inverse=True)
    names, of_row = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    random = np.random.default_rng(_SEED)
    found = []
    for _ in range(DRAWS):
        times = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))[of_row]
        found.append(_auc(np.bincount(place, times * is_one), np.bincount(place, times * ~is_one)))
    return [each for each in found if not math.isnan(each)]


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
