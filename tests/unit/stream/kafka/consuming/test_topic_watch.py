"""The events topic deleted, back, and replaced by another one with its name."""

from kafka import TopicPartition
from structlog.testing import capture_logs

from moderator.stream.kafka.consuming.topic_watch import TopicWatch
from tests.unit.stream.kafka.scripted_consumer import ScriptedConsumer, a_membership

OURS = TopicPartition("chat.events", 0)


def test_a_topic_that_is_not_there_is_reported_once_and_again_when_it_is_back() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    watch = TopicWatch(membership)

    with capture_logs() as logs:
        watch.check()
        consumer.cluster.ids = {}
        watch.check()
        watch.check()
        while_gone = dict(membership.troubles)
        consumer.cluster.ids = {"chat.events": "id-1"}
        watch.check()

    assert [line["event"] for line in logs] == ["events_topic_gone", "events_topic_back"]
    assert while_gone == {"topic_gone": "topic `chat.events` was deleted"}
    assert membership.troubles == {}
    assert consumer.cluster.updates == 2


def test_a_topic_that_the_client_does_not_know_yet_is_not_missed() -> None:
    consumer = ScriptedConsumer()
    consumer.cluster.ids = {}
    membership = a_membership(lambda: consumer)

    TopicWatch(membership).check()

    assert membership.troubles == {}


def test_of_another_topic_with_the_same_name_our_partitions_start_over() -> None:
    consumer = ScriptedConsumer()
    membership = a_membership(lambda: consumer)
    consumer.is_at(OURS, 7)
    membership.topic_ids = {OURS: "id-1"}
    watch = TopicWatch(membership)
    watch.check()
    before = membership.unplaced

    consumer.cluster.ids = {"chat.events": "id-2"}
    watch.check()

    assert before == {}
    assert membership.unplaced == {OURS: 1}
    assert consumer.paused() == {OURS}
