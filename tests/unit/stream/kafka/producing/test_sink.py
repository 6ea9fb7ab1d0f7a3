"""What the sink does around each attempt to publish, however it is delivered."""

from collections.abc import Sequence

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError
from kafka.structs import ConsumerGroupMetadata, MemberState
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from moderator.errors import StoppedError
from moderator.events import DeadLetter, DecidedSpan, Partition, PartitionSpan, Published
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.testing import ManualClock
from tests.builders import a_record, an_encoded_decision
from tests.unit.stream.kafka.scripted_consumer import SETTLED, ScriptedConsumer, a_membership

OURS, OTHER = TopicPartition("chat.events", 0), TopicPartition("chat.events", 1)
SPAN: DecidedSpan = PartitionSpan(Partition(*OURS), 1, 7, [])
OF_ANOTHER: DecidedSpan = PartitionSpan(Partition(*OTHER), 1, 7, [])
TOO_LARGE = DeadLetter("too_large", "the decision is too large")


class Producer:
    is_closed = False

    def __init__(self) -> None:
        self.sends = True
        self._sender = self._client = self._manager = self
        self._conns: dict[int, object] = {}

    def get_connection(self, node: int) -> None:
        pass

    def force_close(self) -> None:
        self.sends = False

    def close(self, timeout: float) -> None:
        self.is_closed = True


class ScriptedDelivery:
    """Records attempts; each may fail, and so may the start of a producer."""

    def __init__(self, *failures: KafkaError, start_failure: KafkaError | None = None) -> None:
        self._failures = list(failures)
        self._start_failure = start_failure
        self.step = ""
        self.is_confirming = False
        self.may_go = True
        self.attempts: list[tuple[Producer, list[DecidedSpan], ConsumerGroupMetadata]] = []
        self.failed_with: list[KafkaError] = []

    def start(self, producer: Producer, timeout_factor: int) -> None:
        if self._start_failure:
            raise self._start_failure

    def may_attempt(self, spans: Sequence[DecidedSpan]) -> bool:
        return self.may_go

    def attempt(self, producer: Producer, spans: list[DecidedSpan], group: ConsumerGroupMetadata) -> None:
        self.attempts.append((producer, spans, group))
        if self._failures:
            raise self._failures.pop()

    def failed(self, error: KafkaError) -> None:
        self.failed_with.append(error)


class Stage:
    """A sink on doubles that owns one partition."""

    def __init__(self, delivery: ScriptedDelivery) -> None:
        self.delivery = delivery
        self.consumer = ScriptedConsumer()
        self.consumer.assigned = {OURS}
        self.clock = ManualClock()
        self.built: list[Producer] = []
        self.membership = a_membership(lambda: self.consumer)
        self.membership.on_partitions_assigned([OURS])
        self.sink = KafkaSink(
            self.membership,
            delivery,
            self.build,
            reject_oversized=lambda _record, _decision: TOO_LARGE,
            failure_budget=FailureBudget(
                self.membership, Metrics(CollectorRegistry()), lambda: None, monotonic_s=self.clock.monotonic_s
            ),
        )

    def build(self, _timeout_factor: int) -> Producer:
        self.built.append(Producer())
        return self.built[-1]


def test_spans_that_we_own_are_published_with_our_membership_and_others_are_dropped() -> None:
    stage = Stage(ScriptedDelivery())

    published = stage.sink.publish([SPAN, OF_ANOTHER])

    assert published == Published(committed=[SPAN], retry=[])
    assert stage.delivery.attempts == [(stage.built[0], [SPAN], SETTLED)]


def test_nothing_is_attempted_while_the_group_rebalances() -> None:
    stage = Stage(ScriptedDelivery())
    stage.consumer.group = SETTLED._replace(state=MemberState.REBALANCING)

    assert stage.sink.publish([SPAN, OF_ANOTHER]) == Published(committed=[], retry=[SPAN, OF_ANOTHER])
    assert stage.delivery.attempts == []


def test_where_nothing_is_ours_any_more_nothing_is_attempted_and_nothing_is_tried_again() -> None:
    stage = Stage(ScriptedDelivery())

    assert stage.sink.publish([OF_ANOTHER]) == Published(committed=[], retry=[])
    assert stage.built == []


def test_what_the_delivery_does_not_allow_yet_is_tried_again() -> None:
    stage = Stage(ScriptedDelivery())
    stage.delivery.may_go = False

    assert stage.sink.publish([SPAN, OF_ANOTHER]) == Published(committed=[], retry=[SPAN])
    assert stage.delivery.attempts == []


def test_after_a_failure_the_delivery_knows_it_and_another_producer_makes_the_next_attempt() -> None:
    failure = KafkaError("no answer")
    stage = Stage(ScriptedDelivery(failure))

    first, second = stage.sink.publish([SPAN]), stage.sink.publish([SPAN])

    assert (first.retry, second.committed) == ([SPAN], [SPAN])
    assert stage.delivery.failed_with == [failure]
    assert [producer for producer, _, _ in stage.delivery.attempts] == stage.built
    assert stage.built[0].is_closed


def test_a_producer_that_cannot_start_is_closed_and_the_spans_are_tried_again() -> None:
    stage = Stage(ScriptedDelivery(start_failure=KafkaError("no coordinator")))

    assert stage.sink.publish([SPAN]) == Published(committed=[], retry=[SPAN])
    assert (stage.built[0].is_closed, stage.built[0].sends) == (True, False)
    assert stage.delivery.attempts == []


def test_what_kafka_never_accepts_stops_the_process() -> None:
    stage = Stage(ScriptedDelivery(TopicAuthorizationFailedError()))

    with pytest.raises(StoppedError, match="nothing was committed"):
        stage.sink.publish([SPAN])


def test_a_producer_that_took_over_at_the_start_makes_the_first_attempt() -> None:
    stage = Stage(ScriptedDelivery())

    stage.sink.take_over()
    stage.sink.publish([SPAN])

    assert len(stage.built) == 1


def test_a_start_without_an_answer_takes_over_later_and_logs_it() -> None:
    stage = Stage(ScriptedDelivery(start_failure=KafkaConnectionError("refused")))

    with capture_logs() as logs:
        stage.sink.take_over()

    assert [entry["event"] for entry in logs] == ["not_taken_over"]


def test_a_published_span_counts_no_longer_as_in_flight() -> None:
    stage = Stage(ScriptedDelivery())
    stage.membership.in_flight.begin(Partition(*OURS), 4)
    stage.membership.in_flight.polled(PartitionSpan(Partition(*OURS), 1, 7, [a_record(offset=4)]))
    before = stage.membership.in_flight.count(Partition(*OURS))

    stage.sink.publish([SPAN])

    assert (before, stage.membership.in_flight.count(Partition(*OURS))) == (3, 0)


def test_an_oversized_decision_is_replaced_by_its_dead_letter() -> None:
    assert Stage(ScriptedDelivery()).sink.reject_oversized(a_record(), an_encoded_decision()) == TOO_LARGE


def test_closing_closes_the_producer() -> None:
    stage = Stage(ScriptedDelivery())
    stage.sink.publish([SPAN])

    stage.sink.close()

    assert stage.built[0].is_closed
