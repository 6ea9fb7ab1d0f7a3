"""Three brokers, and a follower out of sync that becomes leader: the log's tail is lost, and our positions lie beyond.

Nothing is decided twice, all that is written on is decided, and what was lost is said and counted.
"""

from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import KafkaError
from structlog.testing import capture_logs

from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import create_topics
from tests.faults.brokers.test_cut_log import EACH, KEPT, decide_all, fill, places, truncations
from tests.faults.loop import a_loop, running
from tests.kafka_stream import await_committed, committed_offsets, some_names
from tests.soak.brokers import NODES, Cluster, Node
from tests.waiting import await_condition

ELECTED_S = 120.0
AFTERWARDS_UP, AFTERWARDS_DOWN = 20, 80
"""How many events are written after the election: fewer than were lost, and more."""


def some_topics_on(leader: Node, follower: Node, cluster: Cluster) -> KafkaSettings:
    """Put the events on two brokers, of which the second may take over with less; all others are on all three."""
    settings = some_names(bootstrap_servers=cluster.bootstrap_servers, start_timeout_s=60)
    configs = {
        "unclean.leader.election.enable": "true",
        "min.insync.replicas": "1",
        "message.timestamp.type": "LogAppendTime",
    }
    events = NewTopic(
        settings.events_topic, replica_assignments={0: [leader.number, follower.number]}, topic_configs=configs
    )
    with closing(KafkaAdminClient(bootstrap_servers=cluster.bootstrap_servers)) as admin:
        admin.create_topics([events])
    create_topics(settings, partitions=1, replication=NODES)
    return settings


def leads_alone(node: Node, alive: Node, topic: str) -> bool:
    """Ask a broker that is alive; false where it cannot say now."""
    try:
        with closing(KafkaAdminClient(bootstrap_servers=alive.bootstrap_servers, bootstrap_timeout_ms=5_000)) as admin:
            (partition,) = admin.describe_topics([topic])[0]["partitions"]
    except (KafkaError, OSError):
        return False
    return bool(partition["leader_id"] == node.number and partition["isr_nodes"] == [node.number])


@pytest.mark.usefixtures("kafka_tools")
@pytest.mark.long
def test_reading_goes_on_where_the_logs_part_when_a_follower_out_of_sync_takes_over() -> None:
    with Cluster() as cluster:
        ahead, behind, third = cluster.nodes
        up, down = (some_topics_on(ahead, behind, cluster) for _ in range(2))
        for settings in (up, down):
            fill(settings, [0], KEPT)
        with capture_logs() as logs, closing(a_loop(up)) as loop_up, running(loop_up):
            await_condition(lambda: loop_up.committed == KEPT)
            behind.kill()
            await_condition(lambda: leads_alone(ahead, third, up.events_topic), ELECTED_S)
            await_condition(lambda: leads_alone(ahead, third, down.events_topic), ELECTED_S)
            for settings in (up, down):
                fill(settings, [0], EACH - KEPT)
            decide_all(down, EACH)
            await_condition(lambda: loop_up.committed == EACH)

            ahead.kill()
            behind.launch()
            await_condition(lambda: leads_alone(behind, third, up.events_topic), ELECTED_S)
            await_condition(lambda: leads_alone(behind, third, down.events_topic), ELECTED_S)
            fill(up, [0], AFTERWARDS_UP)
            fill(down, [0], AFTERWARDS_DOWN)
            await_committed(up, [KEPT + AFTERWARDS_UP], ELECTED_S)
        while_up = truncations(logs)

        with capture_logs() as logs, closing(a_loop(down)) as loop_down:
            loop_down.run_until(lambda: committed_offsets(down, 1) == [KEPT + AFTERWARDS_DOWN], ELECTED_S)

        assert [found[:3] for found in while_up] == [(0, EACH, KEPT)]
        assert [found[:3] for found in truncations(logs)] == [(0, EACH, KEPT)]
        assert {found[3] for found in while_up + truncations(logs)} == {while_up[0][3]} != {None}
        assert places(up, 0) == sorted([*range(EACH), *range(KEPT, KEPT + AFTERWARDS_UP)])
        assert places(down, 0) == sorted([*range(EACH), *range(KEPT, KEPT + AFTERWARDS_DOWN)])
        for loop in (loop_up, loop_down):
            assert loop.metrics.log_truncated.labels("0")._value.get() == 1
