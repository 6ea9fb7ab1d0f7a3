import pytest

from moderator.policy.text.pattern_cost import MOST_STEPS, steps_of


@pytest.mark.parametrize(
    ("pattern", "least", "greatest"),
    [
        # A repetition counts as often as it may go on, whatever its class.
        ("[a-q][^u-z]{300}x", 600, 610),
        (r"\p{L}{3}x", 10, 30),
        (".{0,1000}x", 2_000, 3_010),
        # What begins with letters can begin only so often.
        ("wallet.{0,20}money", 10, 16),
        (r"\bfree\s+[a-z]{2,8}\d?", 1, 10),
        ("(?i)wallet.{0,20}money", 50, 80),
        ("aa[^b]{300}", 300, 620),
        ("abab[^b]{300}", 150, 310),
        # No character is a letter that stands for itself because it has more than one byte.
        ("[а-я]{50}x", 50, 60),
        (r"[\x{430}-\x{44f}]{50}x", 50, 60),
        ("привет всем.{0,20}друзьям", 5, 12),
        ("[ÿ-я]{2}x", 5, 20),
    ],
)
def test_a_pattern_counts_the_places_at_which_a_text_may_be_at_once(pattern: str, least: int, greatest: int) -> None:
    assert least <= steps_of(pattern) <= greatest


def test_a_thousand_ordinary_patterns_are_within_the_bound_and_twenty_wide_repetitions_are_not() -> None:
    assert sum(steps_of(rf"\bword{number}\s+[a-z]{{2,8}}\d?") for number in range(1_000)) < MOST_STEPS
    assert sum(steps_of(f"[a-q][^u-z]{{{300 + number}}}x") for number in range(20)) > MOST_STEPS
