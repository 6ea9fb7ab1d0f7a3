"""Requests of a publication, or their answers, that get lost or cut: nothing is lost, nothing doubled."""

from contextlib import closing
from itertools import product

import pytest
from prometheus_client import CollectorRegistry

from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.consuming.source import KafkaSource
from moderator.stream.kafka.producing.sink import KafkaSink
from moderator.stream.kafka.source_and_sink import connect
from tests.faults.conftest import Behind
from tests.faults.kafka_proxy import Act, Api, Fault, Side
from tests.faults.loop import a_loop
from tests.faults.oracle import assert_each_event_came_out_once, place_of
from tests.kafka_stream import a_decision, committed_offsets, decided, produce, read_committed, usual_limits

pytestmark = pytest.mark.xdist_group("broker behind a proxy")

PER_PARTITION = 40
EVENTS = 3 * PER_PARTITION
COMMIT_REQUESTS = (Api.ADD_PARTITIONS, Api.PRODUCE, Api.ADD_OFFSETS, Api.TXN_OFFSET_COMMIT, Api.END_TXN)
SHORT = {
    (Api.PRODUCE, "response", "drop"),
    (Api.ADD_OFFSETS, "request", "cut"),
    (Api.END_TXN, "response", "drop"),
}
"""What is lost in the usual run: records, a step between, and the end."""
DELIVERY_TIMEOUT_AND_MORE = 4
"""So many lost attempts of 1.5 s each are longer than the client tries to deliver a record."""
ALWAYS = 1_000_000
LONGER_THAN_A_REQUEST_MAY_TAKE_S = 2.0
"""1.5 s, while the broker is as quick as usual."""


def run_through(behind: Behind, fault: Fault, delivery: str = "exactly_once") -> KafkaSettings:
    """Publish undisturbed, inject the fault, and go on until everything is committed; give settings for the oracle."""
    settings, direct = behind.some_topics(delivery=delivery)
    with closing(a_loop(settings)) as loop:
        produce(direct, (b"%d" % number for number in range(EVENTS)))
        loop.run_until(lambda: loop.committed == EVENTS)
        behind.proxy.inject(fault)
        produce(direct, (b"%d" % number for number in range(EVENTS)))
        loop.run_until(lambda: loop.committed >= 2 * EVENTS)
    assert fault.happened.is_set()
    fault.times = 0
    return direct


@pytest.mark.parametrize(
    ("api", "side", "act"),
    [
        pytest.param(*each, marks=() if each in SHORT else pytest.mark.long, id="-".join((each[0].name, *each[1:])))
        for each in product(COMMIT_REQUESTS, ("request", "response"), ("drop", "cut"))
    ],
)
def test_each_event_comes_out_once_when_a_step_of_the_commit_is_lost(
    behind: Behind, api: Api, side: Side, act: Act
) -> None:
    direct = run_through(behind, Fault(api, side, act))

    assert_each_event_came_out_once(direct, [2 * PER_PARTITION] * 3)


def test_one_request_adds_all_partitions_of_a_window_to_its_transaction(behind: Behind) -> None:
    settings, direct = behind.some_topics()
    source, sink = connect(settings, usual_limits(settings), Metrics(CollectorRegistry()))
    with closing(source), closing(sink):
        publish_a_window(source, sink, direct)  # the first transaction of a producer has no records
        passing = behind.proxy.inject(Fault(Api.ADD_PARTITIONS, "request", "slow", times=ALWAYS))
        publish_a_window(source, sink, direct)
    requests, passing.times = ALWAYS - passing.times, 0

    assert requests == 1


def publish_a_window(source: KafkaSource, sink: KafkaSink, direct: KafkaSettings) -> None:
    produce(direct, (b"%d" % number for number in range(EVENTS)))
    polled = source.poll(50)
    while len({span.partition for span in polled}) < 3:
        polled += source.poll(50)
    assert sink.publish(decided(polled, a_decision)).retry == []


@pytest.mark.parametrize("api", [Api.TXN_OFFSET_COMMIT, pytest.param(Api.END_TXN, marks=pytest.mark.long)])
def test_a_broker_that_answers_every_request_too_late_gets_more_time_until_it_commits(behind: Behind, api: Api) -> None:
    direct = run_through(behind, Fault(api, "response", "slow", times=ALWAYS, slow_s=LONGER_THAN_A_REQUEST_MAY_TAKE_S))

    assert_each_event_came_out_once(direct, [2 * PER_PARTITION] * 3)


def test_records_that_expire_on_the_way_are_never_left_out_of_a_commit(behind: Behind) -> None:
    direct = run_through(behind, Fault(Api.PRODUCE, "request", "drop", times=DELIVERY_TIMEOUT_AND_MORE))

    assert_each_event_came_out_once(direct, [2 * PER_PARTITION] * 3)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(Api.PRODUCE, "response", "drop"), marks=pytest.mark.long, id="PRODUCE"),
        pytest.param(Fault(Api.OFFSET_COMMIT, "response", "cut"), id="OFFSET_COMMIT"),
    ],
)
def test_at_least_once_loses_nothing_and_doubles_under_the_same_id(behind: Behind, fault: Fault) -> None:
    direct = run_through(behind, fault, delivery="at_least_once")

    records = read_committed(direct)
    places = {place_of(record, direct) for record in records}
    assert places == {(number, offset) for number in range(3) for offset in range(2 * PER_PARTITION)}
    ids = {dict(record.headers)["ce_id"] for record in records if record.topic != direct.dead_letter_topic}
    assert len(ids) == sum(1 for _, offset in places if offset % 10 != 9)
    assert committed_offsets(direct) == [2 * PER_PARTITION] * 3
