"""The faults, by the name that the tally gives them."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError
from redis.exceptions import RedisError

from tests.soak.load import POISON, Event, Load, judged
from tests.soak.rig import Replica, Rig, follow, promote

STOPPED_S = 15.0
AWAY_S = 5.0
REFUSED_S = 8.0
MOST_PARTITIONS = 8
ABORTED = 20
EDITED = "message-safety.yaml"
LIMITS = ("below 0.30", "below 0.35")
"""One of them stands in the edited policy."""

Fault = Callable[["Chaos"], None]


class Chaos:
    """Does one fault after the other: each once in random order, then each once more in another order.

    The third replica is never ended on purpose, so that somebody lives long enough to be measured.
    """

    def __init__(self, rig: Rig, load: Load, chance: random.Random) -> None:
        self.rig = rig
        self.load = load
        self.chance = chance
        self.counts: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self._left: list[str] = []

    def next(self) -> str:
        """Do the next one; give its name."""
        if not self._left:
            self._left = self.chance.sample(list(FAULTS), len(FAULTS))
        name = self._left.pop()
        FAULTS[name](self)
        self.counts[name] += 1
        return name

    def victim(self) -> Replica:
        return self.chance.choice(self.rig.replicas[:-1])


def kill_replica(chaos: Chaos) -> None:
    chaos.victim().child.signal(signal.SIGKILL)


def end_replica(chaos: Chaos) -> None:
    chaos.victim().child.signal(signal.SIGTERM)


def stop_replica(chaos: Chaos) -> None:
    child = chaos.chance.choice(chaos.rig.replicas).child
    child.pause()
    chaos.rig.later(STOPPED_S, child.resume)


def kill_broker(chaos: Chaos) -> None:
    node = chaos.chance.choice(chaos.rig.cluster.nodes)
    node.kill()
    chaos.rig.later(AWAY_S, node.launch)


def restart_broker(chaos: Chaos) -> None:
    node = chaos.chance.choice(chaos.rig.cluster.nodes)
    node.stop()
    node.launch()


def kill_redis(chaos: Chaos) -> None:
    redis = chaos.rig.redis
    redis.kill()
    chaos.rig.later(AWAY_S, redis.start)


def demote_redis(chaos: Chaos) -> None:
    """What was the replica is the master now, and the address leads to it."""
    rig = chaos.rig
    if not promote(rig.redis_replica):
        return
    rig.redis, rig.redis_replica = rig.redis_replica, rig.redis
    try:
        follow(rig.redis_replica, rig.redis)
    except RedisError:  # it is away at present
        rig.later(2 * AWAY_S, lambda: follow(rig.redis_replica, rig.redis))
    rig.address.target_port = rig.redis.port


def edit_policies(chaos: Chaos) -> None:
    file = chaos.rig.policies / EDITED
    text = file.read_text("utf-8")
    before, after = LIMITS if LIMITS[0] in text else LIMITS[::-1]
    _write(file, text.replace(before, after))


def break_policies(chaos: Chaos) -> None:
    file = chaos.rig.policies / EDITED
    text = file.read_text("utf-8")
    _write(file, text.replace("rules:", "ruels:"))
    chaos.rig.later(REFUSED_S, lambda: _write(file, file.read_text("utf-8").replace("ruels:", "rules:")))


def _write(file: Path, text: str) -> None:
    """Save as editors do."""
    new = file.with_suffix(".new")
    new.write_text(text, "utf-8")
    new.rename(file)


def add_partition(chaos: Chaos) -> None:
    settings = chaos.rig.settings
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    try:
        (topic,) = admin.describe_topics([settings.events_topic])
        partitions = len(topic["partitions"])
        if partitions < MOST_PARTITIONS:
            admin.create_partitions({settings.events_topic: partitions + 1})
    finally:
        admin.close()


def abort_transaction(chaos: Chaos) -> None:
    settings = chaos.rig.settings
    producer = KafkaProducer(
        bootstrap_servers=settings.bootstrap_servers,
        transactional_id=f"producer-{chaos.chance.randrange(10**6)}",
        transaction_timeout_ms=10_000,
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(ABORTED):
            producer.send(settings.events_topic, judged(number)[0].value, b"aborted")
        producer.flush()
        producer.abort_transaction()
    finally:
        producer.close(5)


def send_poison(chaos: Chaos) -> None:
    chaos.load.send(Event(b'{"text": "%s"}' % POISON.encode()), chaos.chance.randrange(50))


FAULTS: dict[str, Fault] = {
    "kill": kill_replica,
    "term": end_replica,
    "stop": stop_replica,
    "broker_kill": kill_broker,
    "broker_restart": restart_broker,
    "redis_kill": kill_redis,
    "redis_demotion": demote_redis,
    "policy_edit": edit_policies,
    "bad_policy_edit": break_policies,
    "partition_added": add_partition,
    "aborted_transaction": abort_transaction,
    "poison": send_poison,
}
MAY_FAIL = (KafkaError, RedisError)
"""While a broker or a Redis is away, a fault that needs it cannot be made."""
