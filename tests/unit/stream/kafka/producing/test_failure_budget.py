"""Publishing that goes on failing ends the process after a minute, unless it is Kafka that does not answer."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from kafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    UnstableOffsetCommitError,
)
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.errors import NotPublishingError, StoppedError
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.sender import NoSuchTopicError
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import ScriptedConsumer, a_membership


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield cast("list[Any]", entries)


class Publishing:
    """Attempts to publish that fail, as time passes."""

    def __init__(self) -> None:
        self.consumer = ScriptedConsumer()
        self.clock = ManualClock()
        self.metrics = Metrics(CollectorRegistry())
        self.membership = a_membership(lambda: self.consumer)
        self.awaited: str | None = None
        self.budget = FailureBudget(
            self.membership, self.metrics, lambda: self.awaited, monotonic_s=self.clock.monotonic_s
        )

    def fail_for(self, seconds: int, error: KafkaError) -> None:
        for _ in range(seconds):
            self.budget.failed(error, "commit")
            self.clock.advance(1)
        self.budget.failed(error, "commit")


def test_a_minute_of_failures_is_accepted_and_more_is_not() -> None:
    publishing = Publishing()
    publishing.fail_for(60, KafkaTimeoutError("no answer"))

    with pytest.raises(
        StoppedError,
        match=r"60 s although Kafka answers; .*no answer. in step `commit`: nothing was committed; check the brokers",
    ):
        publishing.fail_for(1, KafkaTimeoutError("no answer"))


def test_one_success_starts_a_new_minute() -> None:
    publishing = Publishing()
    publishing.fail_for(59, KafkaTimeoutError())
    publishing.budget.succeeded()
    publishing.clock.advance(60)

    publishing.fail_for(60, KafkaTimeoutError())

    with pytest.raises(StoppedError):
        publishing.fail_for(1, KafkaTimeoutError())


def test_half_a_minute_of_failures_makes_it_not_ready_until_one_success() -> None:
    publishing = Publishing()

    publishing.fail_for(29, KafkaTimeoutError())
    in_time = dict(publishing.membership.troubles)
    publishing.fail_for(1, KafkaTimeoutError())
    late = dict(publishing.membership.troubles)
    publishing.budget.succeeded()

    assert in_time == {}
    assert late == {"not_publishing": "publishing has failed for 30 s"}
    assert publishing.membership.troubles == {}


def test_while_it_can_only_wait_failures_are_accepted_without_limit_and_it_is_not_ready() -> None:
    publishing = Publishing()
    publishing.awaited = "topic `flag` partition 0 has no leader"
    publishing.fail_for(1_800, KafkaTimeoutError())
    meanwhile = dict(publishing.membership.troubles)
    publishing.awaited = None

    publishing.fail_for(49, KafkaTimeoutError())
    with pytest.raises(NotPublishingError):
        publishing.fail_for(13, KafkaTimeoutError())

    assert meanwhile == {"not_publishing": "topic `flag` partition 0 has no leader"}


def test_the_brokers_are_asked_what_it_waits_for_after_ten_seconds_and_then_every_ten(logs: list[Any]) -> None:
    publishing = Publishing()
    publishing.awaited = "topic `flag` partition 0 has no leader"

    publishing.fail_for(9, KafkaTimeoutError())
    before = dict(publishing.membership.troubles)
    publishing.fail_for(20, KafkaTimeoutError())

    assert before == {}
    assert publishing.membership.troubles == {"not_publishing": "topic `flag` partition 0 has no leader"}
    waits = [line["hint"] for line in logs if line["event"] == "publishing_waits"]
    assert waits == ["topic `flag` partition 0 has no leader"] * 2


def test_an_output_topic_without_partitions_makes_it_not_ready_at_once_until_one_success() -> None:
    publishing = Publishing()

    publishing.budget.failed(NoSuchTopicError("no partitions of topic `moderation.flag`"), "commit")
    gone = dict(publishing.membership.troubles)
    publishing.budget.succeeded()

    assert gone == {"topic_gone": "no partitions of topic `moderation.flag`"}
    assert publishing.membership.troubles == {}


def test_while_kafka_does_not_answer_no_topic_is_missed() -> None:
    publishing = Publishing()
    publishing.consumer.is_responding = False

    publishing.budget.failed(NoSuchTopicError("no partitions of topic `moderation.flag`"), "commit")

    assert publishing.membership.troubles == {}


def test_while_kafka_does_not_answer_failures_are_accepted_without_limit() -> None:
    publishing = Publishing()
    publishing.fail_for(30, KafkaTimeoutError())

    publishing.consumer.is_responding = False
    publishing.fail_for(1_800, KafkaTimeoutError())
    publishing.consumer.is_responding = True

    publishing.fail_for(59, KafkaTimeoutError())
    with pytest.raises(StoppedError):
        publishing.fail_for(2, KafkaTimeoutError())


def test_it_backs_off_for_a_second_where_no_broker_accepts_a_connection() -> None:
    publishing = Publishing()
    publishing.budget.failed(KafkaTimeoutError(), "commit")
    after_another_failure = publishing.budget.is_backing_off

    publishing.budget.failed(KafkaConnectionError(), "commit")
    at_once = publishing.budget.is_backing_off
    publishing.clock.advance(1)

    assert (after_another_failure, at_once, publishing.budget.is_backing_off) == (False, True, False)


def test_a_failure_is_logged_with_its_kind_and_cause(logs: list[Any]) -> None:
    Publishing().budget.failed(CommitFailedError("put out"), "commit")

    (entry,) = logs
    assert (entry["event"], entry["error"], entry["broker_is_away"]) == ("publish_failed", "CommitFailedError", False)
    assert (entry["step"], entry["cause"]) == ("commit", "CommitFailedError: put out")


def test_a_transaction_that_hides_the_positions_for_good_is_named_with_what_ends_it() -> None:
    publishing = Publishing()
    publishing.fail_for(60, UnstableOffsetCommitError())

    with pytest.raises(NotPublishingError, match=r"Unstable.*in step `commit`: .*`kafka-transactions\.sh`"):
        publishing.fail_for(1, UnstableOffsetCommitError())


@pytest.mark.parametrize("error", [KafkaTimeoutError(), KafkaTimeoutError(None)])
def test_a_time_out_that_says_nothing_is_logged_in_words(logs: list[Any], error: KafkaError) -> None:
    Publishing().budget.failed(error, "send_offsets")

    (entry,) = logs
    assert (entry["step"], entry["cause"]) == ("send_offsets", "no answer in time")


def test_a_broker_that_answers_too_late_gets_twice_the_time_after_each_attempt_up_to_four_times_the_usual() -> None:
    publishing = Publishing()
    timeout_factor = []
    for _ in range(3):
        publishing.budget.failed(KafkaTimeoutError("no answer"), "commit")
        timeout_factor.append(publishing.budget.timeout_factor)
    publishing.budget.succeeded()

    assert (timeout_factor, publishing.budget.timeout_factor) == ([2, 4, 4], 1)


def test_the_client_says_only_in_words_that_a_request_timed_out() -> None:
    publishing = Publishing()
    publishing.budget.failed(KafkaError("unknown reasons: [Error 7] RequestTimedOutError: after 1500 ms"), "commit")

    assert publishing.budget.timeout_factor == 2


@pytest.mark.parametrize(("error", "responds"), [(KafkaTimeoutError(), False), (CommitFailedError("put out"), True)])
def test_neither_an_absent_broker_nor_a_refusal_gets_more_time(error: KafkaError, *, responds: bool) -> None:
    publishing = Publishing()
    publishing.consumer.is_responding = responds
    publishing.budget.failed(error, "commit")

    assert publishing.budget.timeout_factor == 1


def test_failures_are_counted_by_their_kind() -> None:
    publishing = Publishing()

    publishing.fail_for(1, KafkaTimeoutError())
    publishing.fail_for(2, CommitFailedError())

    counted = publishing.metrics.publish_failures
    assert counted.labels("KafkaTimeoutError")._value.get() == 2
    assert counted.labels("CommitFailedError")._value.get() == 3
