import pytest

from moderator.pipeline.pacing import GATHER_S, MANY_EVENTS, Pacing


def test_before_anything_is_known_windows_overlap_and_none_waits() -> None:
    pacing = Pacing()

    assert pacing.overlaps
    assert pacing.gather_s(0.0) == 0.0


def test_windows_overlap_where_scoring_takes_longer_than_publishing() -> None:
    pacing = Pacing()
    pacing.scored(0.03)

    overlaps = []
    for publish_s in (0.02, 0.03, 0.04):
        pacing.published(publish_s, now_s=1.0)
        overlaps.append(pacing.overlaps)

    assert overlaps == [True, True, False]


def test_what_came_during_a_publication_is_collected_for_some_milliseconds_after_it() -> None:
    pacing = Pacing()
    pacing.scored(0.01)
    pacing.published(0.02, now_s=1.0)

    assert [pacing.gather_s(1.0 + passed_s) for passed_s in (0.0, GATHER_S, 1.0)] == [
        pytest.approx(GATHER_S),
        pytest.approx(0.0, abs=1e-9),
        0.0,
    ]


def test_in_a_backlog_the_next_window_collects_until_a_poll_gives_little() -> None:
    pacing = Pacing()
    pacing.scored(0.01)
    pacing.published(0.02, now_s=1.0)

    waits = []
    for events in (MANY_EVENTS, MANY_EVENTS - 1):
        pacing.polled(events)
        waits.append(pacing.gather_s(2.0) > 0)

    assert waits == [True, False]


def test_a_backlog_makes_no_window_wait_where_scoring_takes_longer() -> None:
    pacing = Pacing()
    pacing.scored(0.02)
    pacing.published(0.01, now_s=1.0)
    pacing.polled(MANY_EVENTS)

    assert pacing.gather_s(1.0) == 0.0
