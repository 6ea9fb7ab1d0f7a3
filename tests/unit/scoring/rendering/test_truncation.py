from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.rendering.truncation import first_turn, head_and_tail

turns = st.lists(st.integers(5, 100), min_size=1, max_size=60)


@given(lengths=turns, room=st.integers(100, 400), offset=st.integers(0, 1000))
def test_what_stays_fits_and_is_most_of_what_could(lengths: list[int], room: int, offset: int) -> None:
    first = first_turn(lengths, offset=offset, anchor=len(lengths) - 1, room=room)

    could_stay = max(sum(lengths[at:]) for at in range(len(lengths) + 1) if sum(lengths[at:]) <= room)
    kept = sum(lengths[first:])
    assert 0 < kept <= could_stay
    assert could_stay - kept <= room // 4


@given(lengths=turns, room=st.integers(200, 400), offset=st.integers(0, 1000))
def test_the_turn_before_the_judged_one_stays(lengths: list[int], room: int, offset: int) -> None:
    first = first_turn(lengths, offset=offset, anchor=len(lengths) - 1, room=room)

    assert first <= max(0, len(lengths) - 2)


def test_what_is_cut_grows_in_large_steps() -> None:
    firsts = [first_turn([10] * turns, offset=0, anchor=turns - 1, room=200) for turns in range(20, 60)]

    steps = [(0, 1), (4, 2), (8, 6), (12, 2), (16, 6), (20, 2), (24, 6), (28, 2), (32, 6), (36, 2), (40, 5)]
    assert firsts == [first for first, times in steps for _ in range(times)]


def test_the_middle_is_removed() -> None:
    assert head_and_tail(list(range(10)), 5) == [0, 1, 2, 8, 9]
    assert head_and_tail(list(range(10)), 1) == [0]
    assert head_and_tail(list(range(10)), 0) == []
