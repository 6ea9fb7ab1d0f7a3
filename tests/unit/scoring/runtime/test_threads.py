from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from moderator.scoring.runtime.threads import ThreadChoice

WEIGHTS = 2_000_000
LARGE = 1_000
"""Tokens of a large pass of this network, which begins at 500."""

Speed = Callable[[int], float]
"""Seconds of a large pass by its number of threads."""


def free(threads: int) -> float:
    return 0.040 / threads


def busy(threads: int) -> float:
    return 0.040 * threads**3


def passes(choice: ThreadChoice, seconds: Speed, *, tokens: int = LARGE, share: float = 1.0) -> Iterator[int]:
    """Compute one pass after the other, and get that share of a core; give the threads of each."""
    while True:
        threads = choice.threads(tokens)
        yield threads
        choice.observe(tokens, seconds(threads), seconds(threads) * share)


def first(count: int, of: Iterator[int]) -> list[int]:
    return [threads for threads, _ in zip(of, range(count), strict=False)]


def test_a_second_thread_is_used_from_the_ninth_pass_on_where_a_core_is_free() -> None:
    assert first(76, passes(ThreadChoice(2, WEIGHTS), free)) == [1] * 8 + [2] * 67 + [1]


@pytest.mark.parametrize(("most", "used"), [(1, 1), (2, 2), (3, 2), (4, 4), (16, 16)])
def test_as_many_threads_are_used_as_pay_and_no_more_than_there_are(most: int, used: int) -> None:
    threads = first(2_000, passes(ThreadChoice(most, WEIGHTS), free))

    assert max(threads) == used
    assert threads[100:].count(used) >= 0.9 * len(threads[100:])


def test_more_threads_than_pay_are_given_up() -> None:
    threads = first(2_000, passes(ThreadChoice(16, WEIGHTS), lambda count: free(count) if count <= 4 else 0.02))

    assert threads[100:].count(4) >= 0.9 * len(threads[100:])


def test_where_more_threads_only_wait_a_trial_is_one_pass_and_trials_become_rare() -> None:
    threads = first(3_000, passes(ThreadChoice(2, WEIGHTS), busy))

    tried = [at for at, count in enumerate(threads) if count == 2]
    assert [later - before for before, later in pairwise(tried)] == [17, 33, 65, 129, 257] + [513] * 4


def test_no_more_threads_are_tried_while_one_does_not_get_its_core() -> None:
    choice = ThreadChoice(2, WEIGHTS)

    assert set(first(1_000, passes(choice, free, share=0.84))) == {1}
    assert 2 in first(20, passes(choice, free, share=1.0))


def test_once_cores_are_busy_one_thread_is_used_after_the_first_slow_pass() -> None:
    choice = ThreadChoice(2, WEIGHTS)
    first(60, passes(choice, free))

    assert first(20, passes(choice, busy)) == [2] + [1] * 11 + [2] + [1] * 7


def test_where_all_became_slower_fewer_threads_are_tried_once() -> None:
    choice = ThreadChoice(2, WEIGHTS)
    first(60, passes(choice, free))

    assert first(50, passes(choice, lambda threads: 10 * free(threads))).count(1) == 1


def test_small_passes_have_one_thread_and_nothing_is_learned_from_them() -> None:
    choice = ThreadChoice(2, WEIGHTS)
    first(20, passes(choice, free))

    assert first(100, passes(choice, busy, tokens=499)) == [1] * 100
    assert choice.threads(500) == choice.threads(LARGE)
