"""Three brokers of one cluster, any of which may be killed: each is a controller too, and data has three copies."""

import base64
import shutil
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from moderator.demo.servers.jars import kafka_jars
from moderator.demo.servers.kafka import LocalKafka
from moderator.supervisor.child import Child, await_ready, free_ports

NODES = 3
START_S = 120.0
BOOTSTRAP_CONTROLLERS = "controller.quorum.bootstrap.servers"
REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "unclean.leader.election.enable": "false",
    # on a busy machine a second without a heartbeat is no sign of a dead broker
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "6000",
}


class Node(LocalKafka):
    """One of the brokers.

    Args:
        number: from 1.
        voters: the port of each node's controller.
    """

    _format_options = ()  # the voters are in the settings

    def __init__(self, number: int, voters: Sequence[int]) -> None:
        super().__init__()
        self.number = number
        self._controller_port = voters[number - 1]
        self._voters = ",".join(f"{at}@127.0.0.1:{port}" for at, port in enumerate(voters, start=1))

    def launch(self) -> None:
        """Start, or start again on the same data, without waiting."""
        self._child = Child(self._command(kafka_jars()), log=self.log)

    def await_up(self) -> bool:
        """Wait until it answers."""
        assert self._child
        return await_ready(self._child, self._answers, START_S)

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    def format(self, first: "Node | None") -> None:
        """Write the settings and the storage's beginning; what is not the node's own is copied from the first."""
        if first is None:
            self._format(kafka_jars())
            return
        self._write_properties()
        theirs, ours = first.folder / "logs", self.folder / "logs"
        shutil.copytree(theirs, ours)
        own = {
            "node.id": str(self.number),
            "directory.id": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        }
        lines = (line.partition("=") for line in (theirs / "meta.properties").read_text().splitlines() if "=" in line)
        (ours / "meta.properties").write_text("".join(f"{name}={own.get(name, value)}\n" for name, _, value in lines))

    def _settings(self) -> dict[str, str]:
        settings = super()._settings() | REPLICATED
        del settings[BOOTSTRAP_CONTROLLERS]
        return settings | {"node.id": str(self.number), "controller.quorum.voters": self._voters}


class Cluster:
    """`with Cluster() as cluster`: all three answer."""

    def __init__(self) -> None:
        voters = free_ports(NODES)
        self.nodes = [Node(number, voters) for number in range(1, NODES + 1)]

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(node.bootstrap_servers for node in self.nodes)

    def __enter__(self) -> Self:
        first, *others = self.nodes
        try:
            first.format(None)
            for node in others:
                node.format(first)
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                assert node.await_up(), node.log.read_text()[-2_000:]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.kill()  # three orderly ends would wait for one another
            node.close()
