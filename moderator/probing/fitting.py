"""Fit one objective, and measure it on the rows that were held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from moderator.evaluation.figures import Floats, Truths, auc, rounded
from moderator.evaluation.labelled import LabelledEvent
from moderator.evaluation.report import HALF
from moderator.probing.features import Features
from moderator.probing.measuring import limits, precise_limit, ranking_fields, reliability
from moderator.probing.ridge import FOLDS, Line, fit
from moderator.probing.split import Split
from moderator.training.evaluation.baseline import words_alone

LEAST_OF_A_SIDE: Final = 20
_SHARES: Final = (0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """One objective.

    Attributes:
        weight: (h,) float32.
        bias: float32.
        figures: as `--json` prints them.
    """

    weight: NDArray[np.float32]
    bias: np.float32
    figures: dict[str, Any]


def too_few(rows: Sequence[LabelledEvent], name: str) -> str | None:
    """Say that an objective has too few labels to be learned, and of which side; None: it has enough."""
    labels = [row.labels[name] for row in rows if name in row.labels]
    ones = sum(label >= HALF for label in labels)
    if min(ones, len(labels) - ones) >= LEAST_OF_A_SIDE:
        return None
    return f"{name}: {ones} rows labelled 1 and {len(labels) - ones} labelled 0; {LEAST_OF_A_SIDE} of each are needed"


def fit_objective(name: str, features: Features, split: Split, alphas: Sequence[float], seed: int) -> Fitted:
    """Learn one objective from the rows that are labelled for it.

    Args:
        name: of the objective.
        features: n rows.
        split: of them.
        alphas: to choose from.
        seed: of the comparison with words alone.
    """
    labels = np.array([row.labels.get(name, np.nan) for row in features.rows])
    weights = np.array([row.weight for row in features.rows])
    learned, held_out = split.learned & ~np.isnan(labels), split.held_out & ~np.isnan(labels)
    folds = (split.places * 2**32).astype(np.int64) % FOLDS

    def fitted(chosen: Truths) -> Line:
        return fit(features.hidden[chosen], labels[chosen], weights[chosen], folds[chosen], alphas)

    line = fitted(learned)
    weight, bias = line.weight.astype(np.float32), np.float32(line.bias)
    scores = features.hidden[held_out] @ weight.astype(np.float64) + float(bias)
    is_one = labels[held_out] >= HALF
    known = ~np.isnan(labels)
    figures = {
        "rows": int(known.sum()),
        "ones": int((labels[known] >= HALF).sum()),
        "learned": int(learned.sum()),
        "held_out": int(held_out.sum()),
        "held_out_ones": int(is_one.sum()),
        "alpha": line.alpha,
        **ranking_fields(scores, is_one, _units(features.rows, held_out)),
        "reliability": reliability(scores, labels[held_out]),
        "limits": limits(scores, is_one),
        "precise_limit": precise_limit(scores, is_one),
        "learning_curve": [
            _curve_point(learned & (split.places < share), fitted, features.hidden[held_out], is_one)
            for share in _SHARES
        ],
    }
    words = _words(features.rows, labels, learned, held_out, seed)
    return Fitted(weight, bias, figures | _beside_words(figures, words))


def _curve_point(chosen: Truths, fitted: Callable[[Truths], Line], hidden: Floats, is_one: Truths) -> dict[str, Any]:
    """Give the held-out AUC of what fewer rows teach."""
    value = auc(fitted(chosen).scores(hidden), is_one) if chosen.any() else np.nan
    return {"rows": int(chosen.sum()), "auc": None if np.isnan(value) else rounded(value)}


def _words(
    rows: Sequence[LabelledEvent], labels: Floats, learned: Truths, held_out: Truths, seed: int
) -> dict[str, float | None]:
    """Measure logistic regression on TF-IDF, learned from and measured on the same rows."""
    conversations = [row.event.conversation for row in rows]
    before, after = ([conversations[at] for at in np.flatnonzero(chosen).tolist()] for chosen in (learned, held_out))
    scores = words_alone(before, labels[learned], after, seed)
    return ranking_fields(scores, labels[held_out] >= HALF, _units(rows, held_out))


def _beside_words(figures: Mapping[str, Any], words: Mapping[str, float | None]) -> dict[str, Any]:
    """Say whether words alone do as well: their interval reaches into the probe's, or beyond."""
    high, low = words["auc_high"], figures["auc_low"]
    return {"baseline": words, "words_alone_do_as_well": None if high is None or low is None else high >= low}


def _units(rows: Sequence[LabelledEvent], chosen: Truths) -> list[str]:
    return [rows[at].unit for at in np.flatnonzero(chosen).tolist()]
