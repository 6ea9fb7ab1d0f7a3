"""Both or neither: what happens when a step of the transaction fails, and what the broker is asked then."""

import contextlib
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    FencedInstanceIdError,
    InvalidProducerEpochError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    NotEnoughReplicasError,
    ProducerFencedError,
    UnstableOffsetCommitError,
)
from kafka.future import Future
from kafka.producer.transaction_manager import TransactionalRequestResult
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata
from prometheus_client import CollectorRegistry

from moderator.errors import FencedError
from moderator.events import DecidedSpan, Partition, PartitionSpan
from moderator.observability.metrics import Metrics
from moderator.stream.kafka.consuming.position import Position
from moderator.stream.kafka.producing import exactly_once
from moderator.stream.kafka.producing.exactly_once import ExactlyOnce
from moderator.stream.kafka.producing.failure_budget import FailureBudget
from moderator.stream.kafka.producing.last_end import COMMIT, FORGOTTEN, LastEnd
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.stream.kafka.producing.transaction import add_partitions
from moderator.testing import ManualClock
from tests.unit.stream.kafka.scripted_consumer import SETTLED, ScriptedConsumer, a_membership

PARTITION = TopicPartition("chat.events", 0)
SPAN: DecidedSpan = PartitionSpan(Partition(*PARTITION), 1, 7, [], leader_epoch=3)
FLAGS, ALLOWS = TopicPartition("moderation.flag", 0), TopicPartition("moderation.allow", 2)
POSITIONS = TopicPartition("__consumer_offsets", -1)
OUTPUTS = {TopicPartition(topic, number) for topic in ("moderation.flag", "moderation.allow") for number in range(3)}
ALL = OUTPUTS | {POSITIONS}
UNDONE = LastEnd(is_commit=False, partitions=None)
COMMITTED = [{PARTITION: OffsetAndMetadata(7, '{"v":1,"topic":"id-1"}', 3)}]


class Connection:
    """Of a producer to a broker."""

    def __init__(self, *, stands: bool = True) -> None:
        self.close_future, self.init_future = Future(), Future()
        if stands:
            self.init_future.success(True)

    def end(self) -> None:
        self.close_future.success(None)


class Producer:
    """A transactional producer on a broker that holds what was committed; each step of its transaction may fail."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        self._transaction_manager = self._sender = self._client = self._metadata = self
        self._lock = contextlib.nullcontext()
        self._partitions_in_transaction: set[TopicPartition] = set()
        self._pending_partitions_in_transaction: set[TopicPartition] = set()
        self._new_partitions_in_transaction: set[TopicPartition] = set()
        self._manager = self
        self._conns: dict[int, Connection] = stage.connections
        stage.latest = self

    def get_connection(self, node: int) -> Connection:
        return self._conns[node]

    def init_transactions(self) -> None:
        self._stage.producers += 1

    def begin_transaction(self) -> None:
        self._stage.begun += 1

    def is_transactional(self) -> bool:
        return True

    def maybe_add_partition_to_transaction(self, partition: TopicPartition) -> None:
        self._partitions_in_transaction.add(partition)

    def _add_partitions_to_transaction_handler(self) -> SimpleNamespace:
        return SimpleNamespace(result=answered(None))

    def _enqueue_request(self, handler: SimpleNamespace) -> None:
        pass

    def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def leader_for_partition(self, partition: TopicPartition) -> int:
        return -1 if partition in self._stage.without_leader else 1

    def flush(self, timeout: float) -> None:
        pass

    def wakeup(self) -> None:
        pass

    def force_close(self) -> None:
        pass

    def send_offsets_to_transaction(
        self, offsets: dict[TopicPartition, OffsetAndMetadata], group: ConsumerGroupMetadata
    ) -> TransactionalRequestResult:
        if not offsets:
            assert group == ConsumerGroupMetadata(SETTLED.group_id)
            self._partitions_in_transaction.add(POSITIONS)
            return answered(None)
        assert group == SETTLED
        self._offsets = offsets
        return answered(self._stage.sends.pop() if self._stage.sends else None)

    def begin_commit(self) -> TransactionalRequestResult:
        if not self._offsets:
            return self._ended()
        if not self._stage.answers:
            return TransactionalRequestResult()
        self._stage.clock.advance(self._stage.elapses_in_a_commit_s)
        if self._stage.failures:
            return answered(self._stage.failures.pop())
        self._stage.committed.append(self._offsets)
        return self._ended()

    def begin_abort(self) -> TransactionalRequestResult:
        self._stage.aborted.append(set(self._partitions_in_transaction))
        self._partitions_in_transaction.clear()
        return answered(None)

    def _ended(self) -> TransactionalRequestResult:
        self._stage.ended.append(set(self._partitions_in_transaction))
        self._partitions_in_transaction.clear()
        return answered(None)

    def close(self, timeout: float) -> None:
        pass


def answered(error: KafkaError | None) -> TransactionalRequestResult:
    result = TransactionalRequestResult()
    result.done(error)
    return result


class Stage:
    """The sink with exactly-once delivery, on doubles; an owned partition of which seven records are decided."""

    def __init__(
        self,
        *failures: KafkaError,
        transaction_timeout_s: float = 60.0,
        confirm_s: float = 0.0,
        deadline_s: float = 3.0,
    ) -> None:
        self.failures = list(failures)
        self.sends: list[KafkaError] = []
        self.committed: list[dict[TopicPartition, OffsetAndMetadata]] = []
        self.writes: set[TopicPartition] = set()
        self.ended: list[set[TopicPartition]] = []
        self.aborted: list[set[TopicPartition]] = []
        self.without_leader: set[TopicPartition] = set()
        self.producers = 0
        self.begun = 0
        self.elapses_in_a_commit_s = 0.0
        self.timeout_factor: list[int] = []
        self.last_end: LastEnd | None = None
        self.connections: dict[int, Connection] = {}
        self.latest: Producer
        self.asked_before: list[int] = []
        self.answers = True
        self.records: list[Future] = []
        self.refuses_records: KafkaError | None = None
        self.consumer = ScriptedConsumer()
        self.consumer.assigned = {PARTITION}
        self.metrics = Metrics(CollectorRegistry())
        self.clock = ManualClock()
        self.membership = membership = a_membership(lambda: self.consumer)
        membership.on_partitions_assigned([PARTITION])
        membership.placed(PARTITION, 1, Position(0, None, "id-1"))
        delivery = ExactlyOnce(
            membership,
            self._send,
            topics=["moderation.flag", "moderation.allow"],
            ask_last_end=self._ask_last_end,
            group_id=SETTLED.group_id,
            transaction_timeout_s=transaction_timeout_s,
            metrics=self.metrics,
            deadline_s=deadline_s,
            confirm_s=confirm_s,
            monotonic_s=self.clock.monotonic_s,
        )
        self.sink = KafkaSink(
            membership,
            delivery,
            self._build,
            reject_oversized=lambda _record, _decision: None,
            failure_budget=FailureBudget(membership, self.metrics, lambda: None, monotonic_s=self.clock.monotonic_s),
        )

    def _send(self, producer: Producer, _spans: object) -> list[Future]:
        add_partitions(producer, self.writes)
        if self.refuses_records:
            raise self.refuses_records
        return self.records

    def opened(self, node: int) -> None:
        """Let the present producer use a connection that it has opened."""
        self.latest.get_connection(node)

    def _ask_last_end(self) -> LastEnd:
        self.asked_before.append(self.producers)
        return self.last_end or (UNDONE if self.producers else COMMIT)

    def _build(self, timeout_factor: int) -> Producer:
        self.timeout_factor.append(timeout_factor)
        return Producer(self)

    def publish(self, span: DecidedSpan = SPAN) -> tuple[Sequence[DecidedSpan], Sequence[DecidedSpan]]:
        published = self.sink.publish([span])
        return published.committed, published.retry

    def settled(self, outcome: str) -> float | None:
        return self.metrics.registry.get_sample_value("moderator_commit_doubts_settled_total", {"outcome": outcome})


def test_what_is_published_is_committed_in_its_transaction() -> None:
    stage = Stage()

    assert stage.publish() == ([SPAN], [])
    assert stage.committed == COMMITTED


def test_a_commit_without_an_answer_is_made_again_by_another_producer() -> None:
    stage = Stage(KafkaTimeoutError("no answer"))

    first, second = stage.publish(), stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == COMMITTED
    assert stage.producers == 2
    assert (stage.settled("not committed"), stage.settled("committed")) == (1, 0)


def test_an_attempt_that_failed_before_its_commit_is_made_again_without_a_question() -> None:
    stage = Stage()
    stage.sends.append(KafkaTimeoutError("no answer"))
    stage.consumer.committed_error = UnstableOffsetCommitError()

    first, second = stage.publish(), stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == COMMITTED
    assert (stage.settled("not committed"), stage.settled("committed")) == (0, 0)


def test_positions_that_were_taken_are_not_committed_when_a_record_did_not_arrive() -> None:
    stage = Stage()
    stage.records = [Future().success(None), Future().failure(NotEnoughReplicasError())]

    first = stage.publish()
    stage.records = []
    second = stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == COMMITTED
    assert stage.producers == 2


@pytest.mark.parametrize(
    "refused", [FencedInstanceIdError(), ProducerFencedError()], ids=lambda error: type(error).__name__
)
def test_refused_positions_end_the_process_though_the_client_refuses_the_records_first(refused: KafkaError) -> None:
    stage = Stage()
    stage.sends.append(refused)
    stage.refuses_records = KafkaError("Cannot perform send because at least one previous request has failed")

    with pytest.raises(FencedError, match="MODERATOR_KAFKA__INSTANCE_ID"):
        stage.publish()


def test_where_only_the_id_keeps_others_out_every_failed_attempt_is_asked_about() -> None:
    stage = Stage()
    stage.membership.refuses_others = False
    stage.sends.append(KafkaTimeoutError("no answer"))
    stage.consumer.committed_offset = 7

    first, second = stage.publish(), stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == []


def test_a_doubt_stays_until_it_is_settled_however_the_attempts_after_it_fail() -> None:
    stage = Stage(KafkaTimeoutError("no answer"), deadline_s=0.0)
    stage.publish()
    stage.consumer.committed_error = UnstableOffsetCommitError()
    stage.publish()
    stage.consumer.committed_error, stage.consumer.committed_offset = None, 7

    assert stage.publish() == ([SPAN], [])
    assert stage.committed == []


@pytest.mark.parametrize("committed_offset", [7, 9])
def test_a_commit_without_an_answer_that_took_place_is_not_made_twice(committed_offset: int) -> None:
    stage = Stage(KafkaTimeoutError("no answer"))
    first = stage.publish()

    stage.consumer.committed_offset = committed_offset
    second = stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == []
    assert (stage.settled("not committed"), stage.settled("committed")) == (0, 1)


def test_the_first_transactions_of_each_producer_only_end_what_an_earlier_one_left_open_anywhere() -> None:
    stage = Stage()
    stage.writes = {FLAGS}
    stage.publish()
    stage.writes = {ALLOWS}
    stage.sends.append(KafkaTimeoutError("no answer"))

    published = [stage.publish() for _ in range(3)]

    assert published == [([], [SPAN]), ([SPAN], []), ([SPAN], [])]
    assert stage.aborted == [{ALLOWS, POSITIONS}]
    assert stage.ended == [ALL, {FLAGS}, OUTPUTS - {ALLOWS}, {ALLOWS}, {ALLOWS}]
    assert stage.committed == COMMITTED * 3


@pytest.mark.parametrize(
    ("last_end", "aborted", "ended"),
    [
        (COMMIT, [], [ALL]),
        (UNDONE, [ALL], []),
        (UNDONE._replace(partitions={FLAGS}), [{FLAGS, POSITIONS}], [OUTPUTS - {FLAGS}]),
        (FORGOTTEN, [{POSITIONS}], [OUTPUTS]),
    ],
    ids=["commit", "abort, anywhere", "abort, in one partition", "forgotten"],
)
def test_the_first_producer_of_a_process_ends_what_another_left_open_as_its_last_transaction_ended(
    last_end: LastEnd, aborted: list[set[TopicPartition]], ended: list[set[TopicPartition]]
) -> None:
    stage = Stage()
    stage.last_end = last_end

    stage.sink.take_over()

    assert (stage.aborted, stage.ended) == (aborted, ended)


def test_how_the_last_transaction_ended_is_asked_before_each_producer_starts_because_the_broker_forgets_it_then() -> (
    None
):
    stage = Stage(KafkaTimeoutError("no answer"))

    stage.publish()
    stage.publish()

    assert stage.asked_before == [0, 1]


def test_so_it_does_after_a_commit_without_an_answer_that_took_place() -> None:
    stage = Stage(KafkaTimeoutError("no answer"))
    stage.writes = {FLAGS}
    stage.publish()
    stage.last_end, stage.consumer.committed_offset = COMMIT, 7
    stage.writes = {ALLOWS}

    published = [stage.publish() for _ in range(2)]

    assert published == [([SPAN], []), ([SPAN], [])]
    assert stage.ended == [ALL, ALL, {ALLOWS}]


@pytest.mark.parametrize("failed_at", ["a record", "its positions", "its commit"])
def test_what_a_failed_attempt_may_have_written_is_aborted_before_anything_is_committed(failed_at: str) -> None:
    no_answer = KafkaTimeoutError("no answer")
    stage = Stage(*[no_answer] * (failed_at == "its commit"))
    stage.writes = {FLAGS}
    stage.records = [Future().failure(no_answer)] * (failed_at == "a record")
    stage.sends = [no_answer] * (failed_at == "its positions")
    stage.publish()
    stage.records, stage.writes = [], {ALLOWS}

    published = [stage.publish() for _ in range(2)]

    assert published == [([SPAN], [])] * 2
    assert stage.aborted == [{FLAGS, POSITIONS}]
    assert stage.ended == [ALL, OUTPUTS - {FLAGS}, {ALLOWS}, {ALLOWS}]


def test_what_an_attempt_left_open_stays_known_until_it_is_ended_whatever_is_answered_meanwhile() -> None:
    stage = Stage()
    stage.writes, stage.refuses_records = {FLAGS}, KafkaError("refused")
    stage.publish()
    stage.refuses_records, stage.without_leader = None, {ALLOWS}
    stage.publish()
    stage.last_end, stage.without_leader = FORGOTTEN, set()
    stage.clock.advance(1.0)

    assert stage.publish() == ([SPAN], [])
    assert stage.aborted == [{FLAGS, POSITIONS}]


def test_while_a_partition_has_no_leader_the_broker_goes_on_remembering_what_is_to_be_undone() -> None:
    stage = Stage()
    stage.writes, stage.refuses_records = {FLAGS}, KafkaError("refused")
    stage.publish()
    stage.refuses_records, stage.without_leader = None, {ALLOWS}

    stage.publish()

    assert stage.producers == 1


def test_an_attempt_that_was_committed_without_an_answer_is_not_aborted() -> None:
    stage = Stage(KafkaTimeoutError("no answer"))
    stage.writes = {FLAGS}
    stage.publish()
    stage.last_end, stage.consumer.committed_offset = COMMIT, 7

    published = [stage.publish() for _ in range(2)]

    assert published == [([SPAN], [])] * 2
    assert stage.aborted == []
    assert stage.ended[:2] == [ALL, ALL]


def test_nor_where_the_next_attempt_is_about_later_events() -> None:
    stage = Stage(KafkaTimeoutError("no answer"))
    stage.writes = {FLAGS}
    stage.publish()
    stage.last_end, stage.consumer.committed_offset = COMMIT, 7

    later: DecidedSpan = PartitionSpan(Partition(*PARTITION), 1, 12, [], leader_epoch=3)

    assert stage.publish(later) == ([later], [])
    assert stage.aborted == []


def test_what_was_left_open_is_ended_once_every_partition_has_a_leader() -> None:
    stage = Stage()
    stage.sends.append(KafkaTimeoutError("no answer"))
    stage.writes = {FLAGS}
    stage.publish()

    stage.without_leader = {ALLOWS}
    without, at_once = stage.publish(), stage.publish()
    asked = len(stage.asked_before)
    stage.without_leader = set()
    stage.clock.advance(1.0)
    published = stage.publish()

    assert (without, at_once, published) == (([], [SPAN]), ([], [SPAN]), ([SPAN], []))
    assert (asked, len(stage.asked_before)) == (2, 3)  # it was not tried at once
    assert stage.aborted == [{FLAGS, POSITIONS}]
    assert stage.ended == [ALL, OUTPUTS - {FLAGS}, {FLAGS}]


@pytest.mark.parametrize("is_new", [False, True])
def test_after_a_connection_has_ended_a_new_producer_ends_what_its_broker_may_have_left_open(*, is_new: bool) -> None:
    stage = Stage()
    connection = Connection()
    if not is_new:
        stage.connections[1] = connection
    stage.publish()
    if is_new:
        stage.connections[1] = connection
        stage.opened(1)
    stage.last_end = COMMIT

    same = (stage.publish(), stage.producers)
    del stage.connections[1]
    connection.end()
    after = (stage.publish(), stage.producers)

    assert (same, after) == ((([SPAN], []), 1), (([SPAN], []), 2))
    assert stage.ended == [ALL, set(), set(), ALL, set()]


def test_a_connection_that_never_stood_means_nothing() -> None:
    stage = Stage()
    stage.connections[1] = connection = Connection(stands=False)
    stage.publish()
    connection.end()

    assert (stage.publish(), stage.producers) == (([SPAN], []), 1)


def test_a_new_producer_ends_what_hides_positions_but_not_before_the_group_confirms_us() -> None:
    stage = Stage(ProducerFencedError(), transaction_timeout_s=0.0, confirm_s=5.0)
    stage.publish()
    stage.sink.end_left_open()
    unconfirmed = stage.producers
    stage.clock.advance(5.0)
    stage.publish()
    stage.sink.end_left_open()

    assert (unconfirmed, stage.producers) == (1, 3)


def test_the_steps_that_end_what_was_left_open_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(deadline_s=3.0)
    deadlines_s: list[float] = []

    def take_a_second(_begun: TransactionalRequestResult, deadline_s: float) -> None:
        deadlines_s.append(deadline_s)
        stage.clock.advance(1.0)

    monkeypatch.setattr(exactly_once, "await_answer", take_a_second)

    stage.publish()

    assert deadlines_s == [3.0, 2.0, 1.0, 3.0, 3.0]  # to add, the positions, to end; the positions, the commit


def test_the_transaction_of_another_process_is_not_aborted_while_a_partition_has_no_leader() -> None:
    stage = Stage()
    stage.without_leader = {ALLOWS}
    stage.sink.take_over()
    without = stage.producers
    stage.without_leader = set()
    stage.sink.take_over()

    assert (without, stage.producers) == (0, 1)


def test_no_transaction_begins_while_a_partition_has_no_leader() -> None:
    stage = Stage()
    stage.publish()
    stage.writes, stage.without_leader = {FLAGS}, {ALLOWS}
    without = stage.publish()

    stage.without_leader = set()
    stage.clock.advance(1.0)
    published = stage.publish()

    assert (without, published) == (([], [SPAN]), ([SPAN], []))
    assert stage.ended == [ALL, set(), ALL, {FLAGS}]
    assert stage.begun == len(stage.ended)


FENCES = [
    ProducerFencedError(),
    InvalidProducerEpochError(),
    KafkaError("Cannot execute transactional method because of: [Error 90] ProducerFencedError"),
]


@pytest.mark.parametrize("fence", FENCES, ids=lambda error: type(error).__name__)
def test_fenced_within_the_transaction_timeout_another_process_has_its_id(fence: KafkaError) -> None:
    stage = Stage(fence)

    with pytest.raises(FencedError, match="MODERATOR_KAFKA__INSTANCE_ID"):
        stage.publish()


@pytest.mark.parametrize("fence", FENCES, ids=lambda error: type(error).__name__)
def test_fenced_by_the_broker_after_the_timeout_it_starts_a_new_producer(fence: KafkaError) -> None:
    stage = Stage(fence, transaction_timeout_s=0.0)

    first, second = stage.publish(), stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.committed == COMMITTED


@pytest.mark.parametrize("error", [KafkaConnectionError("refused"), KafkaTimeoutError("no answer")])
def test_while_kafka_is_away_it_tries_once_a_second_however_often_it_is_asked(error: KafkaError) -> None:
    stage = Stage(error)
    stage.consumer.is_responding = False

    first, at_once = stage.publish(), stage.publish()
    stage.clock.advance(1.0)
    a_second_later = stage.publish()

    assert (first, at_once, a_second_later) == (([], [SPAN]), ([], [SPAN]), ([SPAN], []))
    assert stage.producers == 2


@pytest.mark.parametrize(
    "error",
    [
        KafkaConnectionError("refused"),
        CoordinatorNotAvailableError(),
        CoordinatorLoadInProgressError(),
        NotCoordinatorError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_who_cannot_answer_yet_is_not_asked_again_at_once_though_another_broker_answers(error: KafkaError) -> None:
    stage = Stage(error)

    stage.publish()

    assert stage.publish() == ([], [SPAN])
    assert stage.producers == 1


def test_fenced_by_the_broker_a_named_instance_waits_for_a_heartbeat_before_its_next_producer() -> None:
    stage = Stage(ProducerFencedError(), transaction_timeout_s=0.0, confirm_s=5.0)

    fenced, too_early = stage.publish(), stage.publish()
    producers = stage.producers
    stage.clock.advance(5.0)
    confirmed = stage.publish()

    assert (fenced, too_early, confirmed) == (([], [SPAN]), ([], [SPAN]), ([SPAN], []))
    assert (producers, stage.producers) == (1, 2)


@pytest.mark.parametrize("answer", [None, UnstableOffsetCommitError()], ids=["a position", "that it is hidden"])
def test_fenced_and_without_a_heartbeat_while_the_broker_answers_another_process_has_its_id(
    answer: KafkaError | None,
) -> None:
    stage = Stage(ProducerFencedError(), transaction_timeout_s=0.0, confirm_s=5.0, deadline_s=0.0)
    stage.publish()
    stage.consumer.has_heartbeats, stage.consumer.committed_error = False, answer
    stage.clock.advance(5.0)

    with pytest.raises(FencedError, match="MODERATOR_KAFKA__INSTANCE_ID"):
        stage.publish()

    assert stage.producers == 1


def test_fenced_and_without_any_answer_from_the_broker_it_waits_and_starts_no_producer() -> None:
    stage = Stage(ProducerFencedError(), transaction_timeout_s=0.0, confirm_s=5.0)
    stage.publish()
    stage.consumer.has_heartbeats = False
    stage.consumer.committed_error = KafkaTimeoutError("no answer")
    stage.clock.advance(5.0)

    assert stage.publish() == ([], [SPAN])
    assert stage.producers == 1
    assert stage.metrics.publish_failures.labels("KafkaTimeoutError")._value.get() == 1


def test_a_commit_that_never_returns_is_given_up_at_its_deadline() -> None:
    stage = Stage(deadline_s=0.01)
    stage.answers = False

    first = stage.publish()
    stage.answers = True
    second = stage.publish()

    assert (first, second) == (([], [SPAN]), ([SPAN], []))
    assert stage.producers == 2


def test_a_producer_after_a_step_that_was_given_up_has_twice_the_time_and_a_fence_within_it_is_a_twin() -> None:
    stage = Stage(ProducerFencedError(), KafkaTimeoutError("no answer"), transaction_timeout_s=4.0)
    stage.elapses_in_a_commit_s = 6.0
    stage.publish()

    with pytest.raises(FencedError):
        stage.publish()
    assert stage.timeout_factor == [1, 2]
