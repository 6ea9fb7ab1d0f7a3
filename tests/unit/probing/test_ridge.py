import numpy as np
import pytest

from moderator.probing.ridge import ALPHAS, FOLDS, fit

RANDOM = np.random.default_rng(5)


def some_rows(count: int, width: int, *, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    features = RANDOM.normal(3, [1, 100][width % 2], size=(count, width))
    targets = features @ RANDOM.normal(size=width) / width + noise * RANDOM.normal(size=count) + 7
    return features, targets, RANDOM.uniform(0.5, 2, count), np.arange(count) % FOLDS


@pytest.mark.parametrize(("count", "width"), [(40, 6), (12, 31)], ids=["more rows", "more features"])
def test_a_line_is_the_least_weighted_squares_of_standardised_features_with_a_free_intercept(
    count: int, width: int
) -> None:
    features, targets, weights, folds = some_rows(count, width)

    line = fit(features, targets, weights, folds, (3.0,))

    # slowly, from the normal equations of [standardised features, 1], whose last column is not punished
    share = weights / weights.sum()
    spread = np.sqrt(share @ (features - share @ features) ** 2)
    design = np.column_stack([(features - share @ features) / spread, np.ones(count)])
    punished = 3.0 * np.diag([*np.ones(width), 0])
    scaled = design * (weights / weights.mean())[:, None]
    expected = design @ np.linalg.solve(design.T @ scaled + punished, scaled.T @ targets)
    assert line.scores(features) == pytest.approx(expected, rel=1e-8)
    assert line.alpha == 3.0


def test_what_weights_add_up_to_does_not_matter_but_what_they_are_does() -> None:
    features, targets, weights, folds = some_rows(30, 4)

    line, scaled, equal = (
        fit(features, targets, each, folds, (10.0,)) for each in (weights, weights * 1000, np.ones(30))
    )

    assert line.weight == pytest.approx(scaled.weight)
    assert line.weight != pytest.approx(equal.weight)


def test_a_feature_that_never_changes_tells_nothing() -> None:
    features, targets, weights, folds = some_rows(30, 4)
    features[:, 2] = 1.25

    line = fit(features, targets, weights, folds, (0.01,))

    assert line.weight[2] == 0
    assert np.isfinite(line.scores(features)).all()


def test_noise_is_punished_strongly_and_a_clear_line_hardly() -> None:
    clear = fit(*some_rows(200, 4, noise=0.001), ALPHAS)
    features, _, weights, folds = some_rows(60, 40)
    noise = fit(features, RANDOM.normal(size=60), weights, folds, ALPHAS)

    assert clear.alpha <= 1
    assert noise.alpha >= 100
