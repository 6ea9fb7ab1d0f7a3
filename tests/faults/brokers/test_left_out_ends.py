"""Kafka leaves out the end of a transaction where a partition has no leader: nothing is undone, nothing comes twice."""

from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial

import pytest

from tests.faults.brokers.conftest import EACH, POSITIONS, TwoBrokers, at_its_next_commit, has_failed
from tests.faults.kafka_proxy import Api, Fault
from tests.faults.loop import Loop, a_loop, running
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import committed_offsets, produce
from tests.waiting import PATIENCE_S, await_condition

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("two brokers")]

ALWAYS = 1_000


@pytest.fixture(autouse=True)
def healed(two: TwoBrokers) -> Iterator[None]:
    yield
    two.proxy.heal()


def commit_without_an_end(loop: Loop, monkeypatch: pytest.MonkeyPatch, two: TwoBrokers, topic: str) -> None:
    """Commit the events that wait; the topic has no leader when their transaction ends."""
    at_its_next_commit(loop, monkeypatch, partial(two.take_away, topic), fails=False)
    loop.run_until(lambda: loop.committed == EACH)


def test_what_was_committed_without_an_end_is_not_undone_by_a_transaction_of_the_next_process(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, flags)
    two.give_back(flags)
    produce(two.settings, [b"{}"] * EACH, partitions=1)

    with closing(a_loop(two.settings)) as loop:
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [2 * EACH])


def test_nor_by_one_of_the_process_that_committed_it(two: TwoBrokers, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, flags)
        produce(two.settings, [b"{}"] * EACH, partitions=1)
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
        two.give_back(flags)
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == 2 * EACH)

    assert_each_event_came_out_once(two.settings, [2 * EACH])


def test_nor_where_the_broker_was_back_before_the_process_wrote_again(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, flags)
        two.give_back(flags)
        produce(two.settings, [b"{}"] * EACH, partitions=1)
        at_its_next_commit(loop, monkeypatch, is_made=False, fails=True)
        loop.run_until(lambda: loop.committed == 2 * EACH)

    assert_each_event_came_out_once(two.settings, [2 * EACH])


def test_nor_by_the_end_of_a_process_that_wrote_elsewhere_since(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise SystemExit

    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, flags)
        two.give_back(flags)
        produce(two.settings, [b"{}"], partitions=1)  # at an even offset: it is not flagged
        at_its_next_commit(loop, monkeypatch, die, fails=False)
        with suppress(SystemExit):
            loop.run_until(lambda: loop.committed > EACH)

    with closing(a_loop(two.settings)) as loop:
        loop.run_until(lambda: loop.committed == 1)

    assert_each_event_came_out_once(two.settings, [EACH + 1])


def test_what_was_aborted_without_an_end_is_not_published_by_the_next_commit(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(two.take_away, flags), is_made=False, fails=True)
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
        two.give_back(flags)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [EACH])


def test_nor_by_one_of_the_next_process(two: TwoBrokers, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(two.take_away, flags), is_made=False, fails=True)
        loop.run_until(lambda: has_failed(loop, "LeaderNotAvailableError"))
    two.give_back(flags)

    with closing(a_loop(two.settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [EACH])


def test_nor_what_arrived_without_an_answer(two: TwoBrokers) -> None:
    flags = two.settings.flag_topic
    with closing(a_loop(two.settings)) as loop, running(loop):
        unanswered = two.proxy.inject(Fault(Api.PRODUCE, "response", "drop", times=ALWAYS))
        assert unanswered.happened.wait(PATIENCE_S)
        two.take_away(flags)
        two.proxy.heal()
        await_condition(lambda: has_failed(loop, "LeaderNotAvailableError"))
        two.give_back(flags)
        await_condition(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_positions_that_an_end_left_hidden_are_found_again_by_the_process_that_committed_them(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(two.settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(two.take_away, POSITIONS.topic), fails=True)
        loop.run_until(lambda: has_failed(loop))
        two.give_back(POSITIONS.topic)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_and_by_the_next_process(two: TwoBrokers, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, POSITIONS.topic)
    two.give_back(POSITIONS.topic)
    produce(two.settings, [b"{}"] * EACH, partitions=1)

    with closing(a_loop(two.settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [2 * EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_and_where_it_takes_its_partitions_over_again(two: TwoBrokers, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(a_loop(two.settings)) as loop:
        commit_without_an_end(loop, monkeypatch, two, POSITIONS.topic)
        two.give_back(POSITIONS.topic)
        loop.source._membership.rejoin()  # type: ignore[attr-defined]
        produce(two.settings, [b"{}"] * EACH, partitions=1)
        loop.run_until(lambda: loop.committed == 2 * EACH)

    assert_each_event_came_out_once(two.settings, [2 * EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_positions_that_were_aborted_without_an_end_are_not_committed_by_the_next_commit(
    two: TwoBrokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(a_loop(two.settings)) as loop:
        at_its_next_commit(loop, monkeypatch, partial(two.take_away, POSITIONS.topic), is_made=False, fails=True)
        loop.run_until(lambda: has_failed(loop))
        two.give_back(POSITIONS.topic)
        loop.run_until(lambda: loop.committed == EACH)

    assert_each_event_came_out_once(two.settings, [EACH])


@pytest.mark.usefixtures("positions_on_second")
def test_nor_are_positions_that_were_taken_without_an_answer(two: TwoBrokers) -> None:
    with closing(a_loop(two.settings)) as loop:
        with running(loop):
            unanswered = two.proxy.inject(Fault(Api.TXN_OFFSET_COMMIT, "response", "drop", times=ALWAYS))
            assert unanswered.happened.wait(PATIENCE_S)
            two.take_away(POSITIONS.topic)
            two.proxy.heal()
            await_condition(lambda: has_failed(loop))
        two.await_transaction("CompleteAbort")  # by the broker, as it took too long
        two.give_back(POSITIONS.topic)
        await_condition(lambda: loop.sink.take_over() is None and loop.sink._producers._current is not None)  # type: ignore[attr-defined]

    assert committed_offsets(two.settings, 1) == [0]
    with closing(a_loop(two.settings)) as loop:
        loop.run_until(lambda: loop.committed == EACH)
    assert_each_event_came_out_once(two.settings, [EACH])
