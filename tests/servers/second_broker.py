"""Another broker of the same cluster, for tests about replicas."""

import base64
import uuid
from pathlib import Path

from moderator.demo.servers.kafka import LocalKafka

NODE_ID = 2


class SecondBroker(LocalKafka):
    """A node without a controller; the first one has it."""

    def __init__(self, first: LocalKafka) -> None:
        super().__init__()
        self._first = first

    def _settings(self) -> dict[str, str]:
        ours, firsts = super()._settings(), self._first._settings()
        clients = f"PLAINTEXT://{self.bootstrap_servers}"
        controller = "controller.quorum.bootstrap.servers"
        role = {
            "process.roles": "broker",
            "node.id": str(NODE_ID),
            "listeners": clients,
            controller: firsts[controller],
        }
        return ours | role

    def _format(self, jars: Path) -> None:
        """Write what Kafka's own tool would write, without starting another Java."""
        self._write_properties()
        of_first = (self._first.folder / "logs" / "meta.properties").read_text().splitlines()
        cluster = next(line for line in of_first if line.startswith("cluster.id="))
        directory = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        logs = self.folder / "logs"
        logs.mkdir()
        (logs / "meta.properties").write_text(f"version=1\n{cluster}\nnode.id={NODE_ID}\ndirectory.id={directory}\n")
