"""What runs: three brokers, three replicas, a Redis and its replica behind one address; and who starts them again."""

import heapq
import itertools
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from moderator.demo.examples import example_policies
from moderator.demo.servers.redis import LocalRedis
from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import create_topics
from moderator.supervisor.child import free_ports, last_lines
from tests.faults.forwarder import Forwarder
from tests.kafka_stream import kafka_variables, some_names
from tests.soak.brokers import Cluster
from tests.waiting import await_condition
from tests.warm.process import WarmChild

PARTITIONS = 4
READY_S = 180.0
AT_ONCE = ("--repl-diskless-sync-delay", "0")
RESTART_AFTER_S = 1.0


class Replica:
    """A `moderator run`, started again under the same name whenever it has ended, as an orchestrator does."""

    def __init__(self, name: str | None, variables: dict[str, str], folder: Path) -> None:
        self.name = name or "unnamed"
        self.http_port = free_ports(1)[0]
        self.log = folder / f"{self.name}.log"
        self._variables = variables | {"MODERATOR_HTTP__PORT": str(self.http_port)}
        if name:
            self._variables["MODERATOR_KAFKA__INSTANCE_ID"] = name
        self.ends: Counter[int] = Counter()
        self._ended_at_s: float | None = None
        self.child = self._started()

    def look_after(self) -> None:
        """Start it again a second after it has ended."""
        if (code := self.child.exit_code) is None:
            return
        if self._ended_at_s is None:
            self._ended_at_s = time.monotonic()
            self.ends[code] += 1
        elif time.monotonic() - self._ended_at_s >= RESTART_AFTER_S:
            self._ended_at_s = None
            self.child = self._started()

    def kill(self) -> None:
        self.child.kill()

    def _started(self) -> WarmChild:
        return WarmChild([sys.executable, "-m", "tests.soak.replica"], log=self.log, env=self._variables)


class Rig:
    """All parts, as a context.

    Attributes:
        policies: the folder that all replicas follow.
        redis, redis_replica: which is which changes.
        address: that the replicas know.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self.cluster = Cluster()
        self.redis, self.redis_replica = LocalRedis(*AT_ONCE), LocalRedis(*AT_ONCE)
        self.address = Forwarder(self.redis.port)
        self.policies = folder / "policies"
        self.settings = KafkaSettings()
        self.replicas: list[Replica] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            for replica in self.replicas:
                print(f"{replica.name}: {last_lines(replica.log)}", file=sys.stderr)
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after so many seconds."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), action))

    def turn(self) -> None:
        """Start what has ended, and do what is due."""
        for replica in self.replicas:
            replica.look_after()
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    def finish(self) -> None:
        """Do all that was to be done later, now."""
        while self._later:
            heapq.heappop(self._later)[2]()

    def _start(self) -> None:
        self._open.enter_context(self.cluster)
        for server in (self.redis, self.redis_replica):
            self._open.enter_context(server)
        follow(self.redis_replica, self.redis)
        self._open.enter_context(self.address)
        # edits change what their tests expect
        shutil.copytree(example_policies(), self.policies, ignore=shutil.ignore_patterns("*.test.yaml", "armorm"))
        self.settings = some_names(bootstrap_servers=self.cluster.bootstrap_servers, start_timeout_s=60)
        create_topics(self.settings, partitions=PARTITIONS, replication=3)
        variables = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **kafka_variables(self.settings),
            "MODERATOR_MODEL__PATH": "builtin",
            "MODERATOR_MODEL__CHECK": "false",
            "MODERATOR_POLICIES__PATH": str(self.policies),
            "MODERATOR_POLICIES__STATE_DIR": str(self._folder / "state"),
            "MODERATOR_REDIS__URL": self.address.url,
        }
        for name in ("soak-0", "soak-1", None):
            self.replicas.append(Replica(name, dict(variables), self._folder))
            self._open.callback(self.replicas[-1].kill)
        await_condition(lambda: self._turn_and(all(map(is_ready, self.replicas))), READY_S)

    def _turn_and(self, holds: bool) -> bool:  # noqa: FBT001 - what to await
        self.turn()
        return holds


def is_ready(replica: Replica) -> bool:
    """Whether it has joined the group at least once."""
    return '"event": "partitions_assigned"' in replica.log.read_text(errors="replace")


def follow(replica: LocalRedis, master: LocalRedis) -> None:
    """Let one Redis be the replica of the other."""
    with Redis.from_url(replica.url) as client:
        client.replicaof("127.0.0.1", master.port)


def promote(server: LocalRedis) -> bool:
    """Let a Redis be nobody's replica; false where it does not answer."""
    try:
        with Redis.from_url(server.url) as client:
            client.replicaof("NO", "ONE")
    except RedisError:
        return False
    return True
