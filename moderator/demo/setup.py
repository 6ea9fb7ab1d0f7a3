"""What the demo needs: Kafka, Redis, one replica of `moderator run`, and a console."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from moderator.demo.examples import MODEL_WITH_SPAM, demo_policies
from moderator.demo.replica import LocalConsole, LocalReplica
from moderator.demo.screen import Screen
from moderator.demo.servers.jars import kafka_jars, kafka_version
from moderator.demo.servers.java import require_kafka_tools
from moderator.demo.servers.kafka import LocalKafka
from moderator.demo.servers.redis import LocalRedis
from moderator.errors import CacheUnavailableError
from moderator.policy.live.admission import Admission
from moderator.policy.live.folder_watch import read_folder
from moderator.settings import KafkaSettings
from moderator.stream.kafka.topics import create_topics

_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that runs, and where.

    Attributes:
        redis_url: None where scores are cached in memory.
    """

    kafka: KafkaSettings
    redis_url: str | None
    policies: Path
    replica: LocalReplica
    console: LocalConsole


def set_up(screen: Screen, stack: ExitStack) -> Setup:
    """Start everything, replica and console last (they are not ready yet); `stack` stops it.

    Raises:
        PolicyError: the policies may not decide; nothing was started.
        BrokerUnavailableError: Java or Maven is missing, or Kafka does not start.
    """
    policies = demo_policies(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderator-policies-"))))
    Admission().admit(read_folder(policies))
    kafka = _kafka(screen, stack)
    redis_url = _redis(screen, stack)
    settings = {
        "MODERATOR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "MODERATOR_MODEL__PATH": str(MODEL_WITH_SPAM),
        "MODERATOR_POLICIES__PATH": str(policies),
    }
    if redis_url is not None:
        settings["MODERATOR_REDIS__URL"] = redis_url
    replica = stack.enter_context(LocalReplica(settings))
    scorer = {"MODERATOR_CONSOLE__SCORER_URL": f"http://127.0.0.1:{replica.http_port}"}
    del settings["MODERATOR_MODEL__PATH"]
    console = stack.enter_context(LocalConsole(settings | scorer))
    return Setup(kafka, redis_url, policies, replica, console)


def _kafka(screen: Screen, stack: ExitStack) -> KafkaSettings:
    require_kafka_tools()
    with screen.step(f"fetching Kafka {kafka_version()} with Maven"):
        kafka_jars()
    with screen.step(f"starting Kafka {kafka_version()}"):
        broker = stack.enter_context(LocalKafka())
    screen.done(f"Kafka {kafka_version()} at {broker.bootstrap_servers}")
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    with screen.step("creating topics"):
        create_topics(settings, partitions=_PARTITIONS, replication=1)
    return settings


def _redis(screen: Screen, stack: ExitStack) -> str | None:
    try:
        with screen.step("starting Redis"):
            server = stack.enter_context(LocalRedis())
    except CacheUnavailableError as error:
        screen.warn(f"no Redis, scores are cached in memory: {error}")
        return None
    screen.done(f"Redis at {server.url}")
    return server.url
