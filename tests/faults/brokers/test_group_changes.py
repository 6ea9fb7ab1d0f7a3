"""Members that come, go, are put out, or claim to be one another: nothing is lost, nothing doubled."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.structs import ConsumerGroupMetadata
from prometheus_client import CollectorRegistry

from moderator.errors import FencedError
from moderator.events import DecidedSpan, Partition, Published
from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka import source_and_sink
from moderator.stream.kafka.connection import client_settings
from moderator.stream.kafka.consuming.membership import Membership
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.producing.sender import OutcomeSender
from tests.faults.conftest import Behind
from tests.faults.kafka_proxy import Api, Fault
from tests.faults.loop import Loop, a_loop, a_loop_that_looks_often, running
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import committed_offsets, decided, produce, some_topics, usual_limits
from tests.servers.shared import SharedKafka
from tests.waiting import PATIENCE_S

PARTITIONS = 4
PER_PARTITION = 100
ALL = [PER_PARTITION] * PARTITIONS


@pytest.fixture
def settings(kafka: SharedKafka) -> KafkaSettings:
    return some_topics(kafka.bootstrap_servers, partitions=PARTITIONS)


def fill(settings: KafkaSettings) -> None:
    produce(settings, (b"%d" % number for number in range(PARTITIONS * PER_PARTITION)), partitions=PARTITIONS)


def poll(loop: Loop, at_least: int = 1) -> list[DecidedSpan]:
    """Poll until so many events came: those of one topic may come one by one."""
    spans: list[DecidedSpan] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while sum(len(span.items) for span in spans) < at_least:
        assert time.monotonic() < deadline_s, "nothing came"
        spans += decided(loop.source.poll(100))
    return spans


def all_committed(settings: KafkaSettings, times: int = 1) -> Callable[[], bool]:
    return lambda: committed_offsets(settings, PARTITIONS) == [times * each for each in ALL]


def owned_counts(*loops: Loop) -> list[int]:
    return [len(owned(loop)) for loop in loops]


def owned(loop: Loop) -> frozenset[Partition]:
    assert isinstance(loop.source, KafkaSource)
    return loop.source.assignment


def publish(spans: list[DecidedSpan], loop: Loop) -> list[DecidedSpan]:
    """Try until nothing is left; give what was committed."""
    committed: list[DecidedSpan] = []
    deadline_s = time.monotonic() + PATIENCE_S
    while spans:
        assert time.monotonic() < deadline_s, "nothing was published"
        published = loop.sink.publish(spans)
        committed, spans = committed + published.committed, published.retry
        loop.source.poll(20)
    return committed


def test_members_that_come_and_go_share_the_work_without_doubling_it(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop(settings)) as second:
        with closing(a_loop(settings)) as first, running(second):
            first.run_until(lambda: owned_counts(first, second) == [2, 2])
            fill(settings)
            first.run_until(lambda: first.committed > 0 and second.committed > 0)
        second.run_until(all_committed(settings, 2))

    assert_each_event_came_out_once(settings, [2 * each for each in ALL])


def test_of_a_window_polled_before_a_rebalance_only_what_stayed_is_published(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop(settings)) as first, closing(a_loop(settings)) as second:
        spans = poll(first, PARTITIONS * PER_PARTITION)
        with running(second):
            first.run_until(lambda: owned_counts(first, second) == [2, 2])

            published = publish(spans, first)

            assert {span.partition for span in published} == owned(first)
            first.run_until(all_committed(settings))
    assert_each_event_came_out_once(settings, ALL)


def test_a_member_that_was_put_out_publishes_nothing_until_it_is_back(settings: KafkaSettings) -> None:
    fill(settings)
    with closing(a_loop(settings)) as loop:
        spans = poll(loop)

        put_out(settings)

        assert loop.sink.publish(spans).committed == []
        loop.run_until(all_committed(settings))
    assert_each_event_came_out_once(settings, ALL)


def test_a_commit_under_a_passed_generation_is_refused_and_made_up_for(settings: KafkaSettings) -> None:
    metrics = Metrics(CollectorRegistry())
    membership, late = a_late_loop(settings, metrics)
    with closing(late), closing(a_loop(settings)) as other:
        late.run_until(lambda: owned_counts(late) == [PARTITIONS] and membership.settled() is not None)
        membership.passed = membership.settled()
        with running(other):
            late.run_until(lambda: owned_counts(late, other) == [2, 2] and membership.settled() is not None)
            fill(settings)
            spans = poll(late, 2 * PER_PARTITION)

            membership.is_late = True
            refused = late.sink.publish(spans)
            membership.is_late = False

            assert refused == Published(committed=[], retry=spans)
            assert metrics.publish_failures.labels("CommitFailedError")._value.get() == 1
            assert publish(spans, late) == spans
            late.run_until(all_committed(settings))
    assert_each_event_came_out_once(settings, ALL)


def test_of_two_processes_with_one_instance_id_the_older_stops_and_the_newer_goes_on(settings: KafkaSettings) -> None:
    fill(settings)
    named = settings.model_copy(update={"instance_id": "replica-1"})
    with closing(a_loop(named)) as older:
        older.run_until(all_committed(settings))
        fill(settings)
        spans = poll(older)
        with closing(a_loop(named)) as newer:
            newer.run_until(lambda: newer.committed > 0)

            with pytest.raises(FencedError, match="INSTANCE_ID"):
                older.sink.publish(spans)

            newer.run_until(all_committed(settings, 2))
    assert_each_event_came_out_once(settings, [2 * each for each in ALL])


class LateMembership(Membership):
    """Calls itself as it was called a generation ago, while `is_late`."""

    passed: ConsumerGroupMetadata | None = None
    is_late = False

    def settled(self) -> ConsumerGroupMetadata | None:
        return self.passed if self.is_late else super().settled()


def a_late_loop(settings: KafkaSettings, metrics: Metrics) -> tuple[LateMembership, Loop]:
    client = client_settings(settings)
    membership = LateMembership(lambda: source_and_sink.member(settings, client), settings.events_topic, metrics)
    sender = OutcomeSender(settings, usual_limits(settings), time.time)
    return membership, Loop(*source_and_sink.of_membership(membership, settings, client, sender, metrics))


def put_out(settings: KafkaSettings) -> None:
    """Remove every member of the group, as a broker does with one that has sent no heartbeat for too long."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    try:
        group = admin.describe_groups([settings.group_id])[settings.group_id]
        members = [MemberToRemove(member_id=member["member_id"]) for member in group["members"]]
        admin.remove_group_members(settings.group_id, members)
    finally:
        admin.close()


@pytest.mark.xdist_group("broker behind a proxy")
def test_a_join_for_new_partitions_whose_last_answer_is_slow_is_brought_to_its_end(behind: Behind) -> None:
    settings, direct = behind.some_topics(partitions=1)
    with closing(a_loop_that_looks_often(settings)) as loop:
        produce(direct, [b"1"] * PER_PARTITION, partitions=1)
        loop.run_until(lambda: loop.committed == PER_PARTITION)
        slow = behind.proxy.inject(Fault(Api.SYNC_GROUP, "response", "hold"))
        with closing(KafkaAdminClient(bootstrap_servers=direct.bootstrap_servers)) as admin:
            admin.create_partitions({settings.events_topic: 2})
        loop.run_until(slow.happened.is_set)
        for _ in range(3):
            loop.step()  # each gives up waiting for the answer
        slow.released.set()
        produce(direct, [b"2"] * 2 * PER_PARTITION, partitions=2)

        loop.run_until(lambda: loop.committed == 3 * PER_PARTITION)

    assert_each_event_came_out_once(direct, [2 * PER_PARTITION, PER_PARTITION])


@pytest.mark.xdist_group("broker behind a proxy")
def test_a_twin_that_came_and_went_ends_the_process_without_any_traffic(behind: Behind) -> None:
    settings, _ = behind.some_topics(instance_id="one")

    with closing(a_loop(settings)) as loop:
        loop.run_until(lambda: bool(owned(loop)))
        with pytest.raises(FencedError, match="INSTANCE_ID"):
            let_a_twin_come_and_go(settings, loop)


def let_a_twin_come_and_go(settings: KafkaSettings, loop: Loop) -> None:
    """Step on afterwards; while the twin is here the loop may notice it already, and stop."""
    with closing(a_loop(settings)) as twin, running(loop):
        try:
            twin.run_until(lambda: bool(owned(twin)))
        except FencedError:
            pytest.fail("the one that came later was put out")
    loop.run_until(lambda: False)
