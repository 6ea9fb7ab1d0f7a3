"""A real Apache Kafka on loopback: one KRaft node on free ports with a temporary data folder."""

import base64
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from moderator.errors import BrokerUnavailableError
from moderator.local.child import Child, await_answer, free_ports, is_open, last_lines
from moderator.local.jars import kafka_jars
from moderator.local.packages import KAFKA_TOOLS_HINT

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_ASK_TIMEOUT_MS = 1_000
_LOGGING = Path(__file__).with_name("log4j2.yaml")


class LocalKafka:
    """`with LocalKafka() as kafka: connect(kafka.bootstrap_servers)`.

    Stopped, killed and started again it keeps its ports and what was written; `close` removes all of it. A process
    that is itself killed takes the broker with it and leaves only the temporary folder behind.
    """

    def __init__(
        self,
        *,
        second_protocol: str | None = None,
        second_advertised: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Choose ports and folder; nothing runs yet.

        Args:
            second_protocol: also listen with this security protocol, at `second_bootstrap_servers`.
            second_advertised: where clients that came that way are sent: a proxy's address.
            settings: more lines for server.properties; they win over ours.
        """
        self._port, self._controller_port, self._second_port = free_ports(3)
        self._folder = Path(tempfile.mkdtemp(prefix="moderator-kafka-"))
        self._properties = self._folder / "server.properties"
        self._second_protocol = second_protocol
        self._second_advertised = second_advertised or self.second_bootstrap_servers
        self._settings = self._own_settings() | dict(settings or {})
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for `MODERATOR_KAFKA__BOOTSTRAP_SERVERS`, plain text."""
        return f"127.0.0.1:{self._port}"

    @property
    def second_bootstrap_servers(self) -> str:
        """The same for the second protocol."""
        return f"127.0.0.1:{self._second_port}"

    @property
    def log(self) -> Path:
        """What the broker printed."""
        return self._folder / "broker.log"

    def partition_folder(self, topic: str, number: int) -> Path:
        """Give the folder where the broker keeps a partition."""
        return self._folder / "logs" / f"{topic}-{number}"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start, or start again on the same ports and data, and wait until it answers.

        Raises:
            BrokerUnavailableError: Java or the jars are missing, or the broker does not come up.
        """
        self.launch()
        assert self._child is not None
        if not await_answer(self._child, self._answers, _START_TIMEOUT_S):
            end = last_lines(self.log)
            self.kill()
            raise BrokerUnavailableError(f"the local Kafka broker did not start: {end}")

    def launch(self) -> None:
        """Start without waiting for an answer."""
        jars = kafka_jars()
        if not self._properties.exists():
            self._format(jars)
        memory = ["-Xmx512m", "-XX:+UseG1GC"]
        self._child = Child([*_java(jars, *memory), "kafka.Kafka", str(self._properties)], log=self.log)

    def stop(self) -> None:
        """Stop in order; kill it when it does not end within 10 s."""
        if self._child is not None:
            self._child.stop(_STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            self._child.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        if self._child is not None:
            self._child.pause()

    def resume(self) -> None:
        """Thaw it."""
        if self._child is not None:
            self._child.resume()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _format(self, jars: Path) -> None:
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        storage = [*_java(jars), "kafka.tools.StorageTool", "format", "--standalone"]
        command = [*storage, "-t", _cluster_id(), "-c", str(self._properties)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False)
        if done.returncode != 0:
            self._properties.unlink()
            said = " | ".join((done.stdout + done.stderr).splitlines()[:5])
            raise BrokerUnavailableError(f"the local Kafka broker's storage could not be formatted: {said}")

    def _answers(self) -> bool:
        if not is_open(self._port):  # a client that fails to start leaves its thread behind
            return False
        try:
            admin = KafkaAdminClient(
                bootstrap_servers=self.bootstrap_servers,
                bootstrap_timeout_ms=_ASK_TIMEOUT_MS,
                request_timeout_ms=_ASK_TIMEOUT_MS,
            )
        except (KafkaError, OSError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()

    def _own_settings(self) -> dict[str, str]:
        listeners = {"PLAINTEXT": self._port, "CONTROLLER": self._controller_port}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        if self._second_protocol is not None:
            listeners["SECOND"], protocols["SECOND"] = self._second_port, self._second_protocol
        addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
        advertised = {name: address for name, address in addresses.items() if name != "CONTROLLER"}
        if self._second_protocol is not None:
            advertised["SECOND"] = f"SECOND://{self._second_advertised}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(addresses.values()),
            "advertised.listeners": ",".join(advertised.values()),
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller_port}",
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "log.dirs": str(self._folder / "logs"),
            **_ONE_NODE,
        }


_ONE_NODE = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A killed broker may come back when its old registration has expired: after 1 s instead of 9.
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "1000",
}


def _java(jars: Path, *options: str) -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)
    return [java, *options, f"-Dlog4j2.configurationFile={_LOGGING}", "-cp", f"{jars}/*"]


def _cluster_id() -> str:
    # Kafka takes 16 bytes in url-safe base64; one that starts with a dash would be taken for an option.
    encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return encoded if not encoded.startswith("-") else f"A{encoded[1:]}"
