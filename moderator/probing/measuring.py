"""How good one fitted objective is on held-out rows: the figures of its report."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from moderator.evaluation.figures import Floats, Truths, at_limit, ranking, rounded

LIMITS: Final = tuple(tenth / 10 for tenth in range(1, 10))
WANTED_PRECISION: Final = 0.9
_BINS: Final = 10
_HUNDREDTHS: Final = tuple(at / 100 for at in range(1, 100))


def ranking_fields(scores: Floats, is_one: Truths, units: Sequence[str]) -> dict[str, float | None]:
    """Give AUC with its interval, and average precision; None each where one side is absent."""
    return {name: rounded(value) for name, value in asdict(ranking(scores, is_one, units)).items()}


def reliability(scores: Floats, labels: Floats) -> dict[str, Any]:
    """Compare scores with labels in ten equal bins; scores beyond 0 and 1 are in the first and the last.

    Returns:
        `bins` that hold a row, with mean score and mean label, and `mean_error`: how far these are apart, over all
        rows.
    """
    places = np.clip((scores * _BINS).astype(int), 0, _BINS - 1)
    bins, error = [], 0.0
    for place in range(_BINS):
        members = places == place
        if members.any():
            score, label = float(scores[members].mean()), float(labels[members].mean())
            edges: dict[str, float | None] = {
                "from": place / _BINS,
                "to": (place + 1) / _BINS,
                "rows": int(members.sum()),
            }
            bins.append(edges | {"mean_score": rounded(score), "mean_label": rounded(label)})
            error += abs(score - label) * float(members.mean())
    return {"bins": bins, "mean_error": rounded(error)}


def limits(scores: Floats, is_one: Truths) -> list[dict[str, Any]]:
    """Say what flagging scores of each limit or more gives, from 0.1 to 0.9."""
    return [_at(limit, scores, is_one) for limit in LIMITS]


def precise_limit(scores: Floats, is_one: Truths) -> dict[str, Any] | None:
    """Give the lowest limit, in hundredths, whose flags are right nine times in ten; None: there is none."""
    tried = (_at(limit, scores, is_one) for limit in _HUNDREDTHS)
    return next((each for each in tried if each["flagged"] and each["precision"] >= WANTED_PRECISION), None)


def _at(limit: float, scores: Floats, is_one: Truths) -> dict[str, Any]:
    counted = at_limit(scores >= limit, is_one)
    shares = {name: rounded(share) for name, share in counted.shares.items()}
    return {"limit": limit, "flagged": counted.flagged, **shares}
