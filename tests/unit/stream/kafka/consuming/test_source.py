"""A consumer that fails is replaced; one after another ends the process, and an absent broker never does."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from kafka.errors import (
    CorruptRecordError,
    FencedInstanceIdError,
    GroupAuthorizationFailedError,
    GroupIdNotFoundError,
    KafkaConnectionError,
    KafkaError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
    UnstableOffsetCommitError,
)
from structlog.testing import capture_logs

from moderator.errors import FencedError, StoppedError, UndecodableBatchError
from moderator.events import Partition, PartitionSpan
from moderator.stream.kafka.consuming import placing
from moderator.testing import ManualClock
from tests.builders import a_record
from tests.unit.stream.kafka.damaged_reader import PARTITION, DamagedReader
from tests.unit.stream.kafka.scripted_consumer import Polled, ScriptedConsumer, a_membership, a_source


class Group:
    """What `poll` and connecting meet, from now on."""

    def __init__(
        self, refusal: KafkaError | None = None, connect_reader: Callable[[], object] = ScriptedConsumer
    ) -> None:
        self.tried_to_end = 0
        self.refusal = refusal
        self.is_away = False
        self.consumers: list[ScriptedConsumer] = []
        self.clock = ManualClock()
        self.membership = a_membership(self.connect)
        self.source = a_source(
            self.membership,
            connect_reader,
            self.end_left_open,
            refusals_limit=5,
            monotonic_s=self.clock.monotonic_s,
            sleep=self.clock.advance,
        )

    def connect(self) -> ScriptedConsumer:
        if self.is_away:
            raise KafkaConnectionError("refused")
        self.consumers.append(ScriptedConsumer(self.poll))
        return self.consumers[-1]

    def end_left_open(self) -> None:
        self.tried_to_end += 1

    def poll(self) -> Polled:
        if self.refusal is not None:
            raise self.refusal
        return {}

    def refuse_once(self, *, then_s: float) -> None:
        self.refusal = UnknownTopicOrPartitionError()
        self.poll_times(1)
        self.refusal = None
        self.clock.advance(then_s)
        self.poll_times(1)

    def poll_times(self, times: int) -> None:
        for _ in range(times):
            assert self.source.poll(100) == []


def test_a_consumer_that_fails_is_replaced_and_closed() -> None:
    group = Group(UnknownTopicOrPartitionError())

    group.poll_times(1)

    assert [consumer.is_closed for consumer in group.consumers] == [True, False]


def test_a_group_that_refuses_one_consumer_after_another_ends_the_process() -> None:
    group = Group(GroupAuthorizationFailedError())
    group.poll_times(5)

    with pytest.raises(StoppedError, match=r"consumer group refuses us.*GroupAuthorizationFailed"):
        group.source.poll(100)

    assert len(group.consumers) == 6


def test_refusals_that_lie_far_apart_do_not_add_up() -> None:
    group = Group()

    for _ in range(20):
        group.refuse_once(then_s=61)

    assert len(group.consumers) == 21


def test_refusals_within_a_minute_of_one_another_add_up() -> None:
    group = Group()
    for _ in range(5):
        group.refuse_once(then_s=59)

    with pytest.raises(StoppedError):
        group.refuse_once(then_s=59)


def test_a_broker_that_is_away_never_ends_the_process_and_is_called_once_a_second() -> None:
    group = Group(KafkaConnectionError("refused"))
    group.is_away = True
    began_s = group.clock.monotonic_s()

    group.poll_times(50)
    assert group.clock.monotonic_s() - began_s >= 50

    group.is_away, group.refusal = False, None
    group.poll_times(2)
    assert [consumer.is_closed for consumer in group.consumers] == [True, False]


def test_another_process_with_our_instance_id_ends_this_one_at_once() -> None:
    group = Group(FencedInstanceIdError())

    with pytest.raises(FencedError, match="INSTANCE_ID"):
        group.source.poll(100)


def a_group_at(offset: int, connect_reader: Callable[[], object]) -> Group:
    group = Group(CorruptRecordError(), connect_reader)
    group.consumers[0].is_at(PARTITION, offset)
    return group


def test_what_a_new_consumer_cannot_decode_either_stops_it_with_the_command_that_skips_it() -> None:
    group = a_group_at(3, lambda: DamagedReader([3, 4]))

    with pytest.raises(UndecodableBatchError, match=r"`chat\.events` partition 0 offset 3 .*--to-offset 5"):
        group.source.poll(100)


def test_what_a_new_consumer_can_decode_is_read_again_by_another_consumer() -> None:
    group = a_group_at(3, lambda: DamagedReader([]))

    group.poll_times(1)

    assert [consumer.is_closed for consumer in group.consumers] == [True, False]


def test_while_the_broker_does_not_say_whether_it_can_be_decoded_another_consumer_reads_it_again() -> None:
    def refuse() -> object:
        raise KafkaConnectionError("refused")

    group = a_group_at(3, refuse)

    group.poll_times(1)

    assert [consumer.is_closed for consumer in group.consumers] == [True, False]


@pytest.mark.parametrize(("error", "is_ours"), [(CorruptRecordError(), True), (OffsetOutOfRangeError({}), False)])
def test_an_error_that_the_client_would_raise_later_is_kept_from_it_if_a_pause_could_lose_it(
    error: KafkaError, *, is_ours: bool
) -> None:
    group = Group()
    (consumer,) = group.consumers
    consumer.is_at(PARTITION, 7)
    group.membership.in_flight.begin(Partition(*PARTITION), 3)
    pending = consumer._fetcher._next_in_line_exception_metadata = SimpleNamespace(partition=PARTITION, exception=error)
    group.membership.in_flight.polled(PartitionSpan(Partition(*PARTITION), 0, 7, []))

    group.poll_times(2)

    assert consumer._fetcher._next_in_line_exception_metadata is (None if is_ours else pending)
    assert consumer.paused() == ({PARTITION} if is_ours else set())


def test_a_topic_has_no_end() -> None:
    assert not Group().source.is_exhausted


def test_a_spelling_of_a_cloud_events_header_that_is_not_read_is_reported_once() -> None:
    odd = a_record(b"{}", headers=[("ce-id", b"1")])
    polled = SimpleNamespace(**odd._asdict(), timestamp=odd.timestamp_ms)
    membership = a_membership(lambda: ScriptedConsumer(lambda: {PARTITION: [polled, polled]}))
    membership.on_partitions_assigned([PARTITION])
    source = a_source(membership)

    with capture_logs() as lines:
        source.poll(100)
        source.poll(100)

    assert [(line["event"], line["header"], line["should_be"]) for line in lines] == [
        ("odd_cloudevents_headers", "ce-id", "ce_id")
    ]


@pytest.mark.parametrize(("error", "tries"), [(UnstableOffsetCommitError(), 1), (GroupIdNotFoundError(), 0)])
def test_what_hides_positions_for_longer_than_the_transaction_of_another_replica_we_try_to_end(
    monkeypatch: pytest.MonkeyPatch, error: KafkaError, tries: int
) -> None:
    monkeypatch.setattr(placing, "_ANSWER_S", 0.0)
    group = Group()
    (consumer,) = group.consumers
    consumer.assigned, consumer.committed_error = {PARTITION}, error
    group.membership.on_partitions_assigned([PARTITION])

    tried = []
    for seconds in (0, 14, 1):
        group.clock.advance(seconds)
        group.poll_times(1)
        tried.append(group.tried_to_end)

    assert tried == [0, 0, tries]
