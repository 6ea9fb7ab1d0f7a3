"""What publishing waits for, as the brokers describe partitions."""

from typing import Any

import pytest

from moderator.stream.kafka.producing.awaited import coordinating_partition, waits_for


def a_partition(*, leader: int = 1, in_sync: int = 3) -> dict[str, Any]:
    return {
        "partition_index": 2,
        "leader_id": leader,
        "replica_nodes": [1, 2, 3],
        "isr_nodes": [1, 2, 3][:in_sync],
    }


def test_partitions_with_leader_and_enough_replicas_in_sync_are_not_waited_for() -> None:
    assert waits_for([("flag", a_partition()), ("allow", a_partition(in_sync=2))], {"flag": 2, "allow": 2}) is None


def test_brokers_demand_no_more_replicas_in_sync_than_there_are() -> None:
    assert waits_for([("flag", a_partition())], {"flag": 5}) is None


@pytest.mark.parametrize(
    ("partition", "min_in_sync", "named"),
    [
        (a_partition(leader=-1), {"flag": 1}, "topic `flag` partition 2 has no leader"),
        (a_partition(in_sync=1), {"flag": 2}, "topic `flag` partition 2 has 1 replicas in sync and needs 2"),
        (a_partition(in_sync=2), {}, "topic `flag` partition 2 has 2 replicas in sync and needs 3"),
    ],
)
def test_a_missing_leader_and_too_few_replicas_in_sync_are_waited_for(
    partition: dict[str, Any], min_in_sync: dict[str, int], named: str
) -> None:
    assert waits_for([("allow", a_partition()), ("flag", partition)], min_in_sync) == named


@pytest.mark.parametrize(
    ("name", "partition"),
    # as Java computes them: hash codes above zero, below zero, the smallest integer, and of a letter beyond ASCII
    [("a", 47), ("moderator", 45), ("polygenelubricants", 0), ("group-ähnlich", 26)],
)
def test_the_partition_that_holds_a_group_is_the_one_that_the_brokers_choose(name: str, partition: int) -> None:
    assert coordinating_partition(name, 50) == partition
