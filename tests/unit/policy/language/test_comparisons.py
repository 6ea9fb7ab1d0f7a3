import pytest

from moderator.policy.language.comparisons import COMPARISONS, Comparison

AT_OR_BELOW = Comparison("at {} or below", "number", "<=")


@pytest.mark.parametrize("comparison", [*COMPARISONS, AT_OR_BELOW], ids=lambda comparison: comparison.words)
def test_a_comparison_finds_the_number_that_it_wrote(comparison: Comparison) -> None:
    number = {"number": "0.30", "percent": "2%", "nothing": ""}[comparison.takes]

    assert comparison.number_in(comparison.write(number)) == number
    assert comparison.number_in("at all") is None


def test_words_around_a_number_are_a_form_too() -> None:
    assert AT_OR_BELOW.words == "at or below"
    assert AT_OR_BELOW.write("3 points") == "at 3 points or below"
    assert AT_OR_BELOW.number_in("at most 0.30") is None


def test_each_comparison_knows_its_opposite_and_what_is_easily_written_instead() -> None:
    pairs = {each.words: [other and other.words for other in (each.opposite, each.slip)] for each in COMPARISONS}

    assert pairs == {
        "below": ["above", "at most"],
        "at most": ["at least", "below"],
        "at least": ["at most", "above"],
        "above": ["below", "at least"],
        "in the lowest": ["in the highest", None],
        "in the highest": ["in the lowest", None],
        "missing": [None, None],
    }
