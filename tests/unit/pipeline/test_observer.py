"""What the observer derives from the loop's calls: health for probes, metrics for scrapes."""

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.events import DeadLetter, DecidedSpan, EncodedDecision, Partition, PartitionSpan
from moderator.observability.health import Code, HealthBoard, HealthSnapshot, liveness_problems, readiness_problems
from moderator.observability.metrics import Metrics
from moderator.pipeline.observer import REFRESH_EVERY_S, MonitoringObserver, tally
from moderator.testing import ManualClock
from tests.builders import a_record, an_encoded_decision

OURS = Partition("chat.events", 0)


def a_span(*outcomes: EncodedDecision | DeadLetter, timestamp_ms: int | None = 1_790_000_000_000) -> DecidedSpan:
    return PartitionSpan(OURS, 1, 9, [(a_record(timestamp_ms=timestamp_ms), outcome) for outcome in outcomes])


class ScriptedStatus:
    """What a source would know about its group and brokers."""

    def __init__(self) -> None:
        self.assignment: set[Partition] = set()
        self.lags: dict[Partition, int] = {}
        self.is_joined = True
        self.last_answer_s = 0.0
        self.troubles: dict[Code, str] = {}


class Stage:
    """An observer on doubles, with everything that it writes to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.status = ScriptedStatus()
        self.oldest_ms: dict[Partition, int] = {}
        self.board = HealthBoard(HealthSnapshot(0.0, 0.0))
        self.metrics = Metrics(CollectorRegistry())
        self.observer = MonitoringObserver(self.status, self.metrics, self.board, self.clock)

    def iterate(self, *, seconds: float = REFRESH_EVERY_S, scoring_since_s: float | None = None) -> None:
        """Let time pass; the broker answers and the loop iterates."""
        self.clock.advance(seconds)
        self.status.last_answer_s = self.clock.monotonic_s()
        self.observer.loop_iterated(scoring_since_s=scoring_since_s, oldest=lambda: self.oldest_ms)

    def liveness_codes(self) -> list[Code]:
        return [problem.code for problem in liveness_problems(self.board, self.clock.monotonic_s())]

    def readiness_codes(self) -> list[Code]:
        return [problem.code for problem in readiness_problems(self.board, self.clock.monotonic_s())]

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def test_a_loop_that_iterates_is_healthy_however_long_no_event_comes() -> None:
    stage = Stage()

    for _ in range(5):
        stage.iterate(seconds=50)

    assert stage.liveness_codes() == []
    assert stage.readiness_codes() == []


def test_a_replica_without_partitions_is_ready() -> None:
    stage = Stage()
    stage.status.assignment = set()

    stage.iterate()

    assert stage.readiness_codes() == []


def test_a_window_that_stays_in_the_scorer_fails_health_after_a_minute() -> None:
    stage = Stage()
    since_s = stage.clock.monotonic_s()

    stage.iterate(seconds=60, scoring_since_s=since_s)
    in_time = stage.liveness_codes()
    stage.iterate(seconds=1, scoring_since_s=since_s)

    assert in_time == []
    assert stage.liveness_codes() == ["stuck"]


def test_a_broker_that_answers_no_more_is_no_reason_to_restart() -> None:
    stage = Stage()
    stage.iterate()
    stage.clock.advance(3_600)

    stage.observer.loop_iterated(scoring_since_s=None, oldest=dict)

    assert stage.liveness_codes() == []
    assert stage.readiness_codes() == ["kafka_away"]


def test_a_group_that_was_joined_once_is_ready_through_a_rebalance_of_half_a_minute() -> None:
    stage = Stage()
    stage.status.is_joined = False
    stage.iterate()
    before = stage.readiness_codes()
    stage.status.is_joined = True
    stage.iterate()
    stage.status.is_joined = False

    stage.iterate(seconds=30)
    in_time = stage.readiness_codes()
    stage.iterate(seconds=1)

    assert before == ["group_not_joined"]
    assert in_time == []
    assert stage.readiness_codes() == ["group_not_joined"]


def test_what_source_and_sink_report_is_unready_until_they_take_it_back() -> None:
    stage = Stage()
    stage.status.troubles = {"topic_gone": "topic `chat.events` does not exist"}
    stage.iterate()
    meanwhile = stage.readiness_codes()

    stage.status.troubles = {}
    stage.iterate()

    assert meanwhile == ["topic_gone"]
    assert stage.readiness_codes() == []


def test_each_change_of_readiness_is_logged_once() -> None:
    stage = Stage()
    with capture_logs() as logs:
        stage.iterate()
        stage.status.troubles = {"topic_gone": "topic `chat.events` does not exist"}
        for _ in range(3):
            stage.iterate()
        stage.status.troubles = {}
        for _ in range(3):
            stage.iterate()

    assert [(line["event"], line["code"]) for line in logs] == [("not_ready", "topic_gone"), ("ready", "topic_gone")]


def test_asked_to_drain_it_is_unready_at_once() -> None:
    stage = Stage()
    stage.iterate()

    stage.observer.draining()

    assert stage.readiness_codes() == ["draining"]


def test_the_lag_of_a_partition_taken_away_is_exposed_no_longer() -> None:
    stage = Stage()
    kept, lost = Partition("chat.events", 0), Partition("chat.events", 1)
    stage.status.assignment, stage.status.lags = {kept, lost}, {kept: 7, lost: 9}
    stage.iterate()
    owned = stage.value("moderator_lag_events", partition="1")

    stage.status.assignment, stage.status.lags = {kept}, {kept: 5}
    stage.iterate()

    assert owned == 9
    assert stage.value("moderator_lag_events", partition="1") is None
    assert stage.value("moderator_lag_events", partition="0") == 5
    assert stage.value("moderator_assigned_partitions") == 1


def test_it_looks_round_four_times_a_second_and_no_more_often() -> None:
    stage = Stage()
    stage.iterate()
    first = stage.board.snapshot

    stage.iterate(seconds=REFRESH_EVERY_S / 2)
    soon = stage.board.snapshot
    stage.iterate(seconds=REFRESH_EVERY_S / 2)

    assert soon is first
    assert stage.board.snapshot is not first


def test_what_was_polled_and_published_is_counted() -> None:
    stage = Stage()

    stage.observer.polled(3)
    stage.observer.published([a_span(an_encoded_decision(), DeadLetter("bad_json", "x"))], score_s=1.5, publish_s=0.25)

    assert stage.value("moderator_events_total") == 3
    assert stage.value("moderator_windows_total") == 1
    assert stage.value("moderator_window_events_sum") == 2
    assert stage.value("moderator_score_seconds_sum") == 1.5
    assert stage.value("moderator_publish_seconds_sum") == 0.25
    assert stage.value("moderator_decisions_total", verdict="allow", status="scored") == 1
    assert stage.value("moderator_dead_letters_total", reason="bad_json") == 1


def test_a_window_is_summed_up_by_what_became_of_its_events() -> None:
    flagged, cached = an_encoded_decision(verdict="flag", status="unscored"), an_encoded_decision(cached=True)

    assert tally([flagged, cached, an_encoded_decision(), DeadLetter("bad_json", "x")]) == {
        "events": 4,
        "flagged": 1,
        "allowed": 2,
        "dead_letters": 1,
        "unscored": 1,
        "cached": 1,
    }


def test_from_an_event_s_timestamp_to_its_commit_is_the_time_that_users_wait() -> None:
    stage = Stage()
    stage.clock.advance(40)
    ahead_ms = 1_790_000_100_000  # by a producer's clock

    stage.observer.published(
        [
            a_span(an_encoded_decision(), DeadLetter("bad_json", "x")),
            a_span(an_encoded_decision(), timestamp_ms=ahead_ms),
            a_span(an_encoded_decision(), timestamp_ms=None),
        ],
        score_s=0,
        publish_s=0,
    )

    assert stage.value("moderator_end_to_end_seconds_count") == 3
    assert stage.value("moderator_end_to_end_seconds_sum") == 80
    assert stage.value("moderator_end_to_end_seconds_bucket", le="0.05") == 1
    assert stage.value("moderator_end_to_end_seconds_bucket", le="60.0") == 3


def test_a_commit_without_events_is_the_last_commit_and_no_window() -> None:
    stage = Stage()

    stage.observer.published([PartitionSpan(OURS, 1, 9, [])], score_s=0, publish_s=0)

    assert stage.value("moderator_last_commit_timestamp_seconds") == stage.clock.now_s()
    assert stage.value("moderator_windows_total") == 0


def test_the_age_of_what_is_read_and_not_committed_grows_while_the_loop_stands_still() -> None:
    stage = Stage()
    stage.status.assignment = {OURS, Partition("chat.events", 1)}
    stage.oldest_ms = {OURS: 1_790_000_000_000}
    stage.iterate()
    stage.clock.advance(59.75)

    assert stage.value("moderator_lag_seconds", partition="0") == 60
    assert stage.value("moderator_lag_seconds", partition="1") == 0


def test_the_age_of_a_partition_that_was_taken_away_is_shown_no_longer() -> None:
    stage = Stage()
    stage.status.assignment = {OURS}
    stage.iterate()

    stage.status.assignment = set()
    stage.iterate()

    assert stage.value("moderator_lag_seconds", partition="0") is None
