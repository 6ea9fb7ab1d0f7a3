"""A real Apache Kafka: one KRaft node."""

import base64
import shutil
import signal
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from moderator.demo.servers.jars import class_archive, kafka_jars, keep_class_archive
from moderator.demo.servers.java import KAFKA_TOOLS_HINT
from moderator.demo.servers.server import LocalServer
from moderator.errors import BrokerUnavailableError
from moderator.supervisor.child import free_ports, is_open, last_lines

_START_TIMEOUT_S = 60.0
_ASK_TIMEOUT_MS = 1_000
_NO_ARCHIVE_LOG = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")
"""One that does not suit this Java is not used, and that is all."""
_ENDED_BY_SIGTERM = 128 + signal.SIGTERM
_LOGGING = Path(__file__).with_name("log4j2.yaml")


class LocalKafka(LocalServer):
    """`with LocalKafka() as kafka: connect(kafka.bootstrap_servers)`. A restart keeps the data."""

    _format_options: Sequence[str] = ("--standalone",)

    def __init__(self) -> None:
        super().__init__("kafka")
        self._port, self._controller_port = free_ports(2)
        self._properties = self.folder / "server.properties"
        self._new_archive = self.folder / "classes.jsa"

    @property
    def bootstrap_servers(self) -> str:
        """Address for `MODERATOR_KAFKA__BOOTSTRAP_SERVERS`, plain text."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, or start again on the same ports and data, and wait until it answers.

        Raises:
            BrokerUnavailableError: Java or the jars are missing, or the broker does not start.
        """
        jars = kafka_jars()
        if not self._properties.exists():
            self._format(jars)
        if not self._run(self._command(jars), self._answers, _START_TIMEOUT_S):
            raise BrokerUnavailableError(f"the local Kafka broker did not start: {last_lines(self.log)}")

    def stop(self) -> None:
        """Stop in order; kill it when it does not end within 10 s."""
        super().stop()
        if self._child is not None and self._child.exit_code == _ENDED_BY_SIGTERM and self._new_archive.exists():
            keep_class_archive(self._new_archive)

    def _command(self, jars: Path) -> list[str]:
        return [*_java(jars, "-Xmx512m", *self._class_data()), "kafka.Kafka", str(self._properties)]

    def _class_data(self) -> list[str]:
        """Use the classes as an earlier broker parsed them, or else write them down at the end: 5 s of CPU, not 8."""
        return _shared_classes() or [f"-XX:ArchiveClassesAtExit={self._new_archive}", *_NO_ARCHIVE_LOG]

    def _write_properties(self) -> None:
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in self._settings().items()))

    def _format(self, jars: Path) -> None:
        self._write_properties()
        storage = [*_java(jars, *_shared_classes()), "kafka.tools.StorageTool", "format", *self._format_options]
        command = [*storage, "-t", _cluster_id(), "-c", str(self._properties)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT_S, check=False)
        if done.returncode != 0:
            self._properties.unlink()
            output = " | ".join((done.stdout + done.stderr).splitlines()[:5])
            raise BrokerUnavailableError(f"the local Kafka broker's storage could not be formatted: {output}")

    def _answers(self) -> bool:
        if not is_open(self._port):  # a client that fails to start leaves its thread running
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

    def _settings(self) -> dict[str, str]:
        """Give the lines of server.properties."""
        clients = f"PLAINTEXT://{self.bootstrap_servers}"
        controller = f"127.0.0.1:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{clients},CONTROLLER://{controller}",
            "advertised.listeners": clients,
            "controller.quorum.bootstrap.servers": controller,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "logs"),
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
    # A killed broker may register again when its old registration has expired: after 2 s instead of 9. Not sooner: a
    # busy machine's would be taken for dead while it starts. Not much later: until then it leads partitions, then none,
    # and 4.3.1 drops the end of a transaction where it finds no leader of the partition.
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "2000",
    # nobody looks at how far the metadata's log is: an empty record each half second is a third of what idling costs
    "metadata.max.idle.interval.ms": "30000",
}


def _shared_classes() -> list[str]:
    """Give the options with which Java takes the classes of an earlier broker; none where none has left them."""
    archive = class_archive()
    return [f"-XX:SharedArchiveFile={archive}", *_NO_ARCHIVE_LOG] if archive.exists() else []


def _java(jars: Path, *options: str) -> list[str]:
    java = shutil.which("java")
    if java is None:
        raise BrokerUnavailableError(KAFKA_TOOLS_HINT)
    # a broker of minutes: to compile once and to collect on one thread costs 8 s of CPU where the defaults cost 14
    short_lived = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    return [java, *short_lived, *options, f"-Dlog4j2.configurationFile={_LOGGING}", "-cp", f"{jars}/*"]


def _cluster_id() -> str:
    # Kafka takes 16 bytes in url-safe base64; one that starts with a dash would be taken for an option.
    encoded = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return encoded if not encoded.startswith("-") else f"A{encoded[1:]}"
