from hypothesis import given
from hypothesis import strategies as st

from moderator.scoring.adaptive_limit import AdaptiveLimit

MOST = 262_144
FIRST_TOKENS = 1_024
TARGET_S = 5.0


def a_limit(most_tokens: int) -> AdaptiveLimit:
    return AdaptiveLimit(most_tokens, target_s=TARGET_S, first_tokens=FIRST_TOKENS)


def test_it_starts_small_and_grows_in_steps_to_the_maximum() -> None:
    pace = a_limit(MOST)
    steps = [pace.tokens]

    while pace.tokens < MOST:
        pace.observe(pace.tokens, elapsed_s=0.001)
        steps.append(pace.tokens)

    assert steps == [FIRST_TOKENS, *(FIRST_TOKENS * 4**n for n in range(1, 5))]


def test_a_window_that_took_too_long_makes_the_next_smaller_in_proportion() -> None:
    pace = a_limit(1_000)

    pace.observe(800, elapsed_s=4 * TARGET_S)

    assert pace.tokens == 200


def test_a_window_of_little_says_nothing_of_a_large_one() -> None:
    pace = a_limit(1_000)

    pace.observe(10, elapsed_s=TARGET_S / 2)

    assert pace.tokens == 1_000


def test_a_window_that_was_only_looked_up_says_nothing_however_long_it_took() -> None:
    pace = a_limit(1_000)

    pace.observe(0, elapsed_s=100 * TARGET_S)

    assert pace.tokens == 1_000


def test_at_least_one_token_is_let_through() -> None:
    pace = a_limit(1_000)

    pace.observe(1, elapsed_s=1_000 * TARGET_S)

    assert pace.tokens == 1


@given(tokens_a_second=st.floats(0.5, 1e6), times_too_low=st.integers(1, 12))
def test_windows_soon_take_about_what_they_should_at_any_speed(tokens_a_second: float, times_too_low: int) -> None:
    pace = a_limit(MOST)

    taken_s = []
    for _ in range(12):
        tokens = pace.tokens
        taken_s.append(tokens * times_too_low / tokens_a_second)
        pace.observe(tokens, taken_s[-1])

    settled = tokens in (1, MOST) or taken_s[-1] >= TARGET_S / 2
    assert settled
    assert tokens == 1 or max(taken_s[1:]) <= 1.1 * TARGET_S
