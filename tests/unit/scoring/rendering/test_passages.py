"""Where passages begin and end, in tokens; and what of a text they cover."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.rendering.passages import Stretch, at_space, borders_of, from_beginning, from_end

spaces = st.lists(st.booleans(), min_size=0, max_size=300).map(lambda inner: [True, *inner, True])
sizes = st.integers(8, 60)


def test_passages_overlap_by_an_eighth_and_the_last_is_as_long_as_the_others() -> None:
    nowhere = [True, *[False] * 199, True]

    assert from_beginning(nowhere, 80, 8) == [(0, 80), (70, 150), (120, 200)]
    assert from_end(nowhere, 80, 8) == [(0, 80), (50, 130), (120, 200)]


def test_a_border_moves_to_white_space_within_a_quarter_of_a_passage() -> None:
    near = [at in (0, 61, 100, 200) for at in range(201)]

    assert from_beginning(near, 80, 8) == [(0, 61), (51, 131), (120, 200)]


def test_no_more_passages_are_laid_than_may_be() -> None:
    nowhere = [True, *[False] * 999, True]

    assert from_beginning(nowhere, 80, 2) == [(0, 80), (70, 150)]
    assert from_end(nowhere, 80, 2) == [(850, 930), (920, 1_000)]


def covers(laid: list[Stretch], tokens: int) -> bool:
    return laid[0][0] == 0 and laid[-1][1] == tokens and all(after[0] <= before[1] for before, after in pairwise(laid))


@given(is_space=spaces, size=sizes)
def test_with_enough_passages_everything_is_covered_and_none_is_too_long(is_space: list[bool], size: int) -> None:
    tokens = len(is_space) - 1

    for laid in (from_beginning(is_space, size, 1_000), from_end(is_space, size, 1_000)):
        assert covers(laid, tokens)
        assert all(0 < end - start <= size for start, end in laid)
        assert all(before[1] - after[0] >= size // 8 for before, after in pairwise(laid))
        assert len(laid) == 1 or min(end - start for start, end in laid) >= 3 * size // 4


@given(is_space=spaces, size=sizes, most=st.integers(1, 6))
def test_from_the_end_is_from_the_beginning_of_the_mirrored_text(is_space: list[bool], size: int, most: int) -> None:
    tokens = len(is_space) - 1

    mirrored = [(tokens - end, tokens - start) for start, end in from_beginning(is_space[::-1], size, most)]

    assert from_end(is_space, size, most) == mirrored[::-1]


def test_borders_are_before_each_token_and_after_the_last() -> None:
    text = "Good day, you"
    spans = [(0, 4), (5, 8), (8, 9), (9, 13)]

    borders = borders_of(spans, len(text))

    assert borders == [0, 5, 8, 9, 13]
    assert at_space(text, borders) == [True, True, False, True, True]
