"""What publishing waits for while Kafka answers: a leader, or enough replicas in sync. A restart would help neither."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from moderator.stream.kafka.connection import asking

_NO_LEADER: Final = -1
_MIN_IN_SYNC: Final = "min.insync.replicas"
_COORDINATORS: Final = ("__consumer_offsets", "__transaction_state")
"""Kafka's topics of groups and of transactional ids; often we may not see them."""

_ALL_BITS: Final = 0xFFFF_FFFF

Awaited = Callable[[], str | None]
"""Give what publishing waits for, in words; None: for nothing that is known."""


def awaited(
    client: Mapping[str, Any], topics: Sequence[str], group_id: str, transactional_id: str | None
) -> str | None:
    """Ask the brokers what a publication would have to wait for; takes some seconds at most.

    Args:
        client: what every client needs.
        topics: that we write.
        group_id: whose offsets we commit.
        transactional_id: ours; None: there are no transactions.
    """
    names = dict(zip(_COORDINATORS, (group_id, transactional_id), strict=True))
    try:
        with asking(client) as admin:
            described = admin.describe_topics([*topics, *(topic for topic, name in names.items() if name)])
            partitions = list(_concerning(described, names))
            return waits_for(partitions, _min_in_sync(admin, [topic for topic, _ in partitions]))
    except KafkaError:
        return None


def waits_for(partitions: Sequence[tuple[str, Mapping[str, Any]]], min_in_sync: Mapping[str, int]) -> str | None:
    """Name the first partition without a leader, or with fewer replicas in sync than its topic demands.

    Args:
        partitions: topic, and what the brokers say of a partition.
        min_in_sync: by topic; where one may not see it, all replicas must be in sync.
    """
    for topic, partition in partitions:
        place = f"topic `{topic}` partition {partition['partition_index']}"
        if partition["leader_id"] == _NO_LEADER:
            return f"{place} has no leader"
        in_sync, replicas = len(partition["isr_nodes"]), len(partition["replica_nodes"])
        if in_sync < (
            needed := min(min_in_sync.get(topic, replicas), replicas)
        ):  # brokers demand no more than there are
            return f"{place} has {in_sync} replicas in sync and needs {needed}"
    return None


def _concerning(
    described: Sequence[Mapping[str, Any]], coordinated: Mapping[str, str | None]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every partition of the output topics, and of Kafka's own topics those that hold our group and id."""
    for topic in described:
        name, partitions = topic["name"], topic["partitions"]
        ours = coordinated.get(name)
        for partition in partitions:
            if ours is None or partition["partition_index"] == coordinating_partition(ours, len(partitions)):
                yield name, partition


def coordinating_partition(name: str, partitions: int) -> int:
    """Find the partition of Kafka's own topic that holds a group or a transactional id, as the brokers do."""
    hashed = 0
    encoded = name.encode("utf-16-be")
    for high, low in zip(encoded[::2], encoded[1::2], strict=True):
        hashed = (31 * hashed + (high << 8 | low)) & _ALL_BITS
    # Java's `hashCode` has a sign, and Kafka takes its lower 31 bits by `abs`
    return (hashed if hashed <= _ALL_BITS >> 1 else (_ALL_BITS + 1 - hashed) & _ALL_BITS >> 1) % partitions


def _min_in_sync(admin: KafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in dict.fromkeys(topics)]
    described = admin.describe_configs(resources, config_filter="all")["topic"]
    return {topic: int(config[_MIN_IN_SYNC]["value"]) for topic, config in described.items() if _MIN_IN_SYNC in config}
