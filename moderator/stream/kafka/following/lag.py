"""How far the group is behind, asked from outside of it: committed positions and the ends of the events topic."""

from contextlib import closing
from typing import NamedTuple

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from moderator.settings import KafkaSettings
from moderator.stream.kafka.connection import client_settings, probe_brokers


class Lag(NamedTuple):
    """What is known of the lag.

    Attributes:
        partitions: events that are not decided yet, by partition.
        problem: why nothing is known; empty where something is.
    """

    partitions: dict[int, int]
    problem: str = ""


def read_lag(settings: KafkaSettings) -> Lag:
    """Ask once; takes DESCRIBE on the group and on the events topic."""
    client = client_settings(settings)
    try:
        probe_brokers(client)
        with closing(KafkaAdminClient(**client)) as admin:
            return _read(admin, settings)
    except GroupAuthorizationFailedError:
        return Lag({}, f"the right DESCRIBE on group `{settings.group_id}` is missing")
    except TopicAuthorizationFailedError:
        return Lag({}, f"the right DESCRIBE on topic `{settings.events_topic}` is missing")
    except KafkaError as error:
        return Lag({}, f"Kafka does not say it ({type(error).__name__})")


def _read(admin: KafkaAdminClient, settings: KafkaSettings) -> Lag:
    topic = settings.events_topic
    (described,) = admin.describe_topics([topic])
    partitions = [TopicPartition(topic, each["partition_index"]) for each in described["partitions"]]
    if not partitions:
        # a topic that we may not describe looks as if it were not there
        return Lag({}, f"there is no topic `{topic}`, or the right DESCRIBE on it is missing")
    ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    firsts = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    committed = admin.list_group_offsets({settings.group_id: partitions})[settings.group_id]
    positions = {each: committed[each].offset if each in committed else -1 for each in partitions}
    return Lag(
        {
            each.partition: max(0, ends[each].offset - max(positions[each], firsts[each].offset))
            for each in sorted(partitions)
        }
    )
