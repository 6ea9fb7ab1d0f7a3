"""Weighted ridge regression on standardised features, its intercept unpunished, its strength by cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHAS: Final = tuple(10.0**power for power in range(-2, 6))
FOLDS: Final = 5
_CONSTANT: Final = 1e-6
"""A feature that spreads less tells nothing but rounding."""


@dataclass(frozen=True, slots=True)
class Line:
    """What was fitted: a row's score is `features @ weight + bias`.

    Attributes:
        weight: (h,), for features that are not standardised.
        alpha: how strongly weights were punished.
    """

    weight: Floats
    bias: float
    alpha: float

    def scores(self, features: Floats) -> Floats:
        """Score n rows of (n, h) features."""
        return features @ self.weight + self.bias


def fit(features: Floats, targets: Floats, weights: Floats, folds: NDArray[np.int64], alphas: Sequence[float]) -> Line:
    """Fit the alpha whose mean squared error over the folds is least; of equals the greatest.

    Args:
        features: (n, h).
        targets: (n,), 0 to 1.
        weights: (n,), above 0.
        folds: (n,), the number of each row's fold.
        alphas: one: it is taken as it is.
    """
    if len(alphas) > 1:
        alphas = [_best(features, targets, weights, folds, alphas)]
    [line] = _lines(features, targets, weights, alphas)
    return line


def _best(
    features: Floats, targets: Floats, weights: Floats, folds: NDArray[np.int64], alphas: Sequence[float]
) -> float:
    errors = np.zeros(len(alphas))
    for fold in np.unique(folds):
        out = folds == fold
        if out.all():
            continue
        lines = _lines(features[~out], targets[~out], weights[~out], alphas)
        errors += [weights[out] @ (line.scores(features[out]) - targets[out]) ** 2 for line in lines]
    return max(alpha for alpha, error in zip(alphas, errors, strict=True) if error == errors.min())


def _lines(features: Floats, targets: Floats, weights: Floats, alphas: Sequence[float]) -> list[Line]:
    """Fit every alpha from one decomposition, of whichever product is smaller: (h, h) or (n, n)."""
    share = weights / weights.sum()
    mean = share @ features
    spread = np.sqrt(share @ (features - mean) ** 2)
    spread[spread < _CONSTANT] = np.inf
    middle = float(share @ targets)
    root = np.sqrt(share * len(share))  # weights of mean 1, so that an alpha means the same whatever they add up to
    rows = (features - mean) / spread * root[:, None]  # (n, h)
    wanted = (targets - middle) * root
    if len(rows) >= rows.shape[1]:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        turned, back = vectors.T @ (rows.T @ wanted), vectors
    else:
        values, vectors = np.linalg.eigh(rows @ rows.T)
        turned, back = vectors.T @ wanted, rows.T @ vectors
    slopes = [back @ (turned / (np.maximum(values, 0) + alpha)) / spread for alpha in alphas]
    return [Line(slope, middle - float(mean @ slope), alpha) for slope, alpha in zip(slopes, alphas, strict=True)]
