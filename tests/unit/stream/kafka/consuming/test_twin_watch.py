"""A member that another process has replaced is not told: its heartbeats end, and everything else goes on."""

import pytest
from kafka.errors import KafkaTimeoutError, UnstableOffsetCommitError
from kafka.structs import MemberState

from moderator.stream.kafka.consuming import twin_watch
from moderator.stream.kafka.consuming.twin_watch import TwinWatch
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import SETTLED, ScriptedConsumer, a_membership


class Stage:
    """A settled member whose last heartbeat was answered just now."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.consumer = ScriptedConsumer()
        self.answer_heartbeat()
        self._watch = TwinWatch(a_membership(lambda: self.consumer), self.clock.monotonic_s)

    def answer_heartbeat(self) -> None:
        self.consumer.heartbeat.last_receive = self.consumer.heartbeat.last_reset = self.clock.monotonic_s()

    def noticed_after_s(self, *, within_s: int = 60) -> int | None:
        """Check once a second; give when it was noticed."""
        for second in range(within_s):
            if self._watch.is_put_out():
                return second
            self.clock.advance(1)
        return None


def test_silence_while_the_coordinator_answers_twice_is_noticed_in_15_s() -> None:
    assert Stage().noticed_after_s() == 15


def test_a_coordinator_that_calls_positions_hidden_answers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twin_watch, "_ANSWER_S", 0.0)
    stage = Stage()
    stage.consumer.committed_error = UnstableOffsetCommitError()

    assert stage.noticed_after_s() == 15


def test_silence_while_the_coordinator_is_away_means_nothing() -> None:
    stage = Stage()
    stage.consumer.committed_error = KafkaTimeoutError()

    assert stage.noticed_after_s() is None


def test_silence_while_the_group_rebalances_means_nothing() -> None:
    stage = Stage()
    stage.consumer.group = SETTLED._replace(state=MemberState.REBALANCING)

    assert stage.noticed_after_s() is None


def test_a_heartbeat_that_is_answered_in_between_starts_the_silence_again() -> None:
    stage = Stage()

    before = stage.noticed_after_s(within_s=14)
    stage.answer_heartbeat()

    assert before is None
    assert stage.noticed_after_s() == 15


def test_an_outage_between_the_two_answers_starts_asking_again() -> None:
    stage = Stage()
    before = stage.noticed_after_s(within_s=14)
    stage.consumer.committed_error = KafkaTimeoutError()
    away = stage.noticed_after_s(within_s=5)
    stage.consumer.committed_error = None

    assert (before, away) == (None, None)
    assert stage.noticed_after_s() == 3
