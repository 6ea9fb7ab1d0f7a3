import pytest

from moderator.errors import DeadLetterLimitError
from moderator.pipeline.dead_letter_limit import DeadLetterLimit


def test_it_is_not_judged_before_a_thousand_records() -> None:
    limit = DeadLetterLimit(max_ratio=0.5)

    limit.observe([True] * 999)

    with pytest.raises(DeadLetterLimitError, match="1000 of the last 1000"):
        limit.observe([True])


def test_a_share_at_the_limit_is_accepted_and_one_more_is_not() -> None:
    limit = DeadLetterLimit(max_ratio=0.5)

    limit.observe([True, False] * 500)

    with pytest.raises(DeadLetterLimitError, match="501 of the last 1000"):
        limit.observe([True, True])


def test_only_the_last_thousand_count() -> None:
    limit = DeadLetterLimit(max_ratio=0.5)

    limit.observe([True] * 400 + [False] * 1_000 + [True] * 500)

    with pytest.raises(DeadLetterLimitError, match="501 of the last 1000"):
        limit.observe([True])
