"""How every client of ours connects to Kafka: addresses, TLS, SASL, and the timeouts that the commit was tested with.

Also the conversion of the client's records to ours.
"""

import gc
import logging
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError

from moderator.errors import BrokerUnavailableError
from moderator.events import Record
from moderator.settings import Compression, KafkaSettings
from moderator.stream.kafka.records import read_any_header_name
from moderator.stream.kafka.selector import QuickSelector

_RANDOM_NAME = uuid.uuid4().hex[:8]
"""Of this process: replicas without an instance id must not share a client id."""
OUTPUT_BATCH_BYTES = 4 * 2**20
"""What the output topics should accept at once: a window's decisions of one partition."""
MIN_POLL_MS = 20
"""A member that polls for less time does not succeed in joining its group."""
MIN_UNSETTLED_POLL_MS = 500
"""The client discards a join that is completed between two polls, and joins again: poll longer, so that it is rare."""
_DEFAULT_PORT = 9092
_NO_TIMESTAMP = -1
_ASK_TIMEOUT_MS = 3_000
_PROBES_TIMEOUT_S = 5.0
"""For all addresses together: the caller must poll, or be finished, soon after."""
SESSION_TIMEOUT_MS = 10_000
TRANSACTION_TIMEOUT_MS = 4_000
_PUBLISHING_TIMEOUTS = ("request_timeout_ms", "delivery_timeout_ms", "transaction_timeout_ms")
ANSWER_WINDOW_S = 3.0
"""The client's response rate looks back this far: above zero, the broker has answered within it."""


def client_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Give what every client needs: brokers, TLS, SASL, quick reconnects."""
    _keep_values_out_of_the_log()
    read_any_header_name()
    password = settings.sasl_password
    return {
        "bootstrap_servers": [server.strip() for server in settings.bootstrap_servers.split(",")],
        "client_id": client_id(settings),
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_cafile": _path(settings.ssl_cafile),
        "ssl_certfile": _path(settings.ssl_certfile),
        "ssl_keyfile": _path(settings.ssl_keyfile),
        "bootstrap_timeout_ms": 5_000,
        "reconnect_backoff_max_ms": 1_000,
        "selector": QuickSelector,
    }


def client_id(settings: KafkaSettings) -> str:
    """Name this replica to the brokers; the same for all its clients."""
    return settings.client_id or f"moderator-{settings.instance_id or _RANDOM_NAME}"


def unreachable(settings: KafkaSettings, error: Exception) -> BrokerUnavailableError:
    """Give the error that says which brokers do not answer, and what the client met."""
    return BrokerUnavailableError(f"Kafka at `{settings.bootstrap_servers}` does not answer: `{error}`")


def probe_brokers(client: Mapping[str, Any]) -> None:
    """Check that a broker can be reached before a client is made: one that fails to start leaves a thread that retries.

    Raises:
        KafkaConnectionError: none of them accepts a connection.
    """
    servers = client["bootstrap_servers"]
    errors = []
    for server in servers:
        error = _probe(server, _PROBES_TIMEOUT_S / len(servers))
        if error is None:
            return
        errors.append(error)
    raise KafkaConnectionError(errors[0])


def free_broken_connections() -> None:
    """Close connections that the client has given up: they are reference cycles, and each holds a socket.

    The garbage collector would free them at last, but it runs rarely (see `wiring`), and an outage allocates little.
    """
    gc.collect()


def consumer_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Give what a member of the group needs in addition to `client_settings`; nothing is committed automatically."""
    return {
        "group_id": settings.group_id,
        "group_instance_id": settings.instance_id,
        # the client never decides where to go on, see `placing`
        "auto_offset_reset": "none",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        # some milliseconds of decoding: other threads hardly get the interpreter meanwhile
        "max_poll_records": 500,
        # so that a poll mixes partitions: one partition's decisions then fit into one batch, see `batch_size`
        "max_partition_fetch_bytes": 2**20,
        "fetch_max_bytes": 16 * 2**20,
        "fetch_max_wait_ms": 100,
        "session_timeout_ms": SESSION_TIMEOUT_MS,
        "heartbeat_interval_ms": 1_000,
        "max_poll_interval_ms": 120_000,
        # a deleted topic and new partitions are noticed within it, by members without partitions too
        "metadata_max_age_ms": 10_000,
        "metrics_num_samples": 2,
        "metrics_sample_window_ms": int(ANSWER_WINDOW_S * 500),
    }


def producer_settings(
    compression: Compression, *, largest_record_bytes: int, smallest_batch_limit_bytes: int
) -> dict[str, Any]:
    """Give what an idempotent producer needs in addition to `client_settings`; transactions add their id.

    linger + request < delivery < transaction timeout: the client requires the first, the commit the second.
    """
    return {
        "acks": "all",
        "enable_idempotence": True,
        # every publication ends in a flush, so waiting costs nothing and makes one batch of ten requests
        "linger_ms": 50,
        # one batch of a partition is in flight at a time, and while a second one waits the client wakes its sender for
        # every single record: a window's part of a partition must fit into one
        "batch_size": min(OUTPUT_BATCH_BYTES, smallest_batch_limit_bytes),
        "max_request_size": max(2**20, largest_record_bytes),
        "compression_type": None if compression == "none" else compression,
        "request_timeout_ms": 1_500,
        "delivery_timeout_ms": 3_000,
        "max_block_ms": 5_000,  # health calls Kafka away after 10 s in which the loop has not turned
        # a transaction that begins before the markers of the one before it are written is refused, and waits so long
        "retry_backoff_ms": 10,
        "metrics_enabled": False,  # nobody reads them, and they are a tenth of the work of the client's thread
    }


def outsider(
    client: Mapping[str, Any], *, isolation_level: str, group_id: str | None, **settings: Any
) -> KafkaConsumer:
    """Make a consumer that joins no group, though it may read and commit the offsets of one.

    Raises:
        KafkaError: the brokers do not answer.
    """
    probe_brokers(client)
    given = {**client, **settings}
    return KafkaConsumer(**given, group_id=group_id, isolation_level=isolation_level, enable_auto_commit=False)


def reader(client: Mapping[str, Any]) -> KafkaConsumer:
    """Make a consumer that reads what is committed, and joins no group.

    Raises:
        KafkaError: the brokers do not answer.
    """
    return outsider(client, isolation_level="read_committed", group_id=None)


@contextmanager
def asking(client: Mapping[str, Any]) -> Iterator[KafkaAdminClient]:
    """Ask the brokers something while a window waits: 3 s for an answer, 10 where a broker hangs as we connect.

    Raises:
        KafkaError: the brokers do not answer.
    """
    quick = {**client, "bootstrap_timeout_ms": _ASK_TIMEOUT_MS, "request_timeout_ms": _ASK_TIMEOUT_MS}
    probe_brokers(quick)
    with closing(KafkaAdminClient(**quick)) as admin:
        yield admin


def range_reader(client: Mapping[str, Any], group_id: str | None = None) -> KafkaConsumer:
    """Make a reader for large ranges; it may read and commit the offsets of a group.

    Raises:
        KafkaError: the brokers do not answer.
    """
    # an offset that is not in the log is an error: the client's own reset would pass over all of the range
    large = {"max_partition_fetch_bytes": 2 * 2**20, "fetch_max_bytes": 16 * 2**20, "auto_offset_reset": "none"}
    return outsider(client, isolation_level="read_committed", group_id=group_id, **large)


def producer(client: Mapping[str, Any], settings: Mapping[str, Any], timeout_factor: int) -> KafkaProducer:
    """Make a producer with the settings given; `client` says where to look for brokers first.

    `timeout_factor` says how many times as long as usual requests, deliveries and transactions may take.

    Raises:
        KafkaError: the brokers do not answer.
    """
    probe_brokers(client)
    timeouts = {name: timeout_factor * settings[name] for name in _PUBLISHING_TIMEOUTS if name in settings}
    return KafkaProducer(**{**settings, **timeouts})


def record_of(polled: Any) -> Record:
    """Convert the client's record."""
    return Record(
        polled.topic,
        polled.partition,
        polled.offset,
        polled.timestamp if polled.timestamp != _NO_TIMESTAMP else None,
        polled.key,
        polled.value,
        polled.headers,
        polled.leader_epoch,
    )


def _probe(server: str, timeout_s: float) -> str | None:
    host, _, port = server.rpartition(":")
    host, port = (host, port) if host else (server, str(_DEFAULT_PORT))
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()
    except (OSError, ValueError) as error:
        return f"{server}: {error}"
    return None


def _path(path: object) -> str | None:
    return None if path is None else str(path)


def _keep_values_out_of_the_log() -> None:
    # below INFO the client logs every record that it sends
    client = logging.getLogger("kafka")
    if client.level < logging.INFO:
        client.setLevel(logging.INFO)
