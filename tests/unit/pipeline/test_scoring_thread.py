"""One thread loads and uses the model."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from moderator.errors import ScorerUnavailableError
from moderator.pipeline.moderation import ScoredWindow, Window
from moderator.pipeline.scoring_thread import ScoringThread
from tests.waiting import PATIENCE_S


@pytest.fixture
def scoring() -> Iterator[ScoringThread]:
    with closing(ScoringThread(lambda: 7.0)) as thread:
        yield thread


def a_scored_window(number: int = 0) -> ScoredWindow:
    return ScoredWindow(Window([], None), number, 0.0, 0.0)  # type: ignore[arg-type]  # nothing here decides


def test_loading_and_scoring_happen_on_the_same_thread_and_on_no_other(scoring: ScoringThread) -> None:
    threads: list[int] = []

    def score() -> ScoredWindow:
        threads.append(threading.get_ident())
        return a_scored_window()

    loaded_on = scoring.call(threading.get_ident)
    scoring.submit(score)
    scoring.take(PATIENCE_S)

    assert threads == [loaded_on]
    assert loaded_on != threading.get_ident()


def test_what_loading_raises_is_raised_where_it_is_awaited(scoring: ScoringThread) -> None:
    def load() -> None:
        raise ScorerUnavailableError("no device")

    with pytest.raises(ScorerUnavailableError, match="no device"):
        scoring.call(load)


def test_what_scoring_raises_is_raised_where_the_window_is_taken(scoring: ScoringThread) -> None:
    def score() -> ScoredWindow:
        raise ScorerUnavailableError("device lost")

    scoring.submit(score)

    with pytest.raises(ScorerUnavailableError, match="device lost"):
        scoring.take(PATIENCE_S)
    assert not scoring.has_window


def test_a_time_out_within_scoring_is_no_window_that_is_not_done(scoring: ScoringThread) -> None:
    def score() -> ScoredWindow:
        raise TimeoutError

    scoring.submit(score)

    with pytest.raises(TimeoutError):
        scoring.take(PATIENCE_S)


def test_it_is_busy_until_the_window_is_scored_and_not_until_it_is_taken(scoring: ScoringThread) -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def score() -> ScoredWindow:
        may_end.wait(PATIENCE_S)
        return a_scored_window(5)

    before = scoring.busy_since_s
    scoring.submit(score)
    too_early, meanwhile = scoring.take(0), scoring.busy_since_s
    may_end.set()
    scoring._window.add_done_callback(lambda _: has_ended.set())  # type: ignore[union-attr]
    has_ended.wait(PATIENCE_S)
    afterwards, has_window = scoring.busy_since_s, scoring.has_window
    taken = scoring.take(0)

    assert (before, meanwhile, afterwards) == (None, 7.0, None)
    assert (too_early, has_window) == (None, True)
    assert taken is not None
    assert taken.fresh_tokens == 5
