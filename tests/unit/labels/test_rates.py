import pytest

from moderator.labels.rates import rate, wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 30, 0.0, 0.1135), (15, 30, 0.3315, 0.6685), (30, 30, 0.8865, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    # the last one: R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998
    assert wilson(count, of) == pytest.approx((low, high), abs=5e-5)


def test_fewer_than_thirty_labels_give_no_rate() -> None:
    assert rate(29, 29).share is None
    assert rate(29, 30).share == pytest.approx(29 / 30)
