"""TLS and SASL settings reach every client: admin, consumer and producer."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from moderator.observability.metrics import Metrics
from moderator.settings import KafkaSettings
from moderator.stream.kafka.source_and_sink import connect
from moderator.stream.kafka.topics import await_topics
from tests.faults.loop import Loop
from tests.faults.oracle import assert_each_event_came_out_once
from tests.kafka_stream import kafka_variables, produce, some_topics
from tests.servers.two_door_kafka import TwoDoorKafka
from tests.warm.process import run_moderator

pytestmark = pytest.mark.xdist_group("broker with certificates")

PASSWORD = "changeit"
USERS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_moderator="right" username="moderator" password="right";'
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with its self-signed certificate, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate, store = folder / "key.pem", folder / "certificate.pem", folder / "store.p12"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    run(*made, "-keyout", str(key), "-out", str(certificate))
    run(
        "openssl",
        "pkcs12",
        "-export",
        "-in",
        str(certificate),
        "-inkey",
        str(key),
        "-out",
        str(store),
        "-passout",
        f"pass:{PASSWORD}",
    )
    return certificate


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def broker(kafka_tools: None, certificate: Path) -> Iterator[TwoDoorKafka]:
    settings = {
        "ssl.keystore.location": str(certificate.with_name("store.p12")),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.password": PASSWORD,
        "ssl.key.password": PASSWORD,
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.second.plain.sasl.jaas.config": USERS,
    }
    with TwoDoorKafka("SASL_SSL", settings=settings) as broker:
        yield broker


@pytest.fixture
def direct(broker: TwoDoorKafka) -> KafkaSettings:
    return some_topics(broker.bootstrap_servers)


@pytest.fixture
def secure(broker: TwoDoorKafka, certificate: Path, direct: KafkaSettings) -> KafkaSettings:
    fields = {
        "bootstrap_servers": broker.second_bootstrap_servers,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": certificate,
        "sasl_mechanism": "PLAIN",
        "sasl_username": "moderator",
        "sasl_password": "right",
    }
    return KafkaSettings(**{**direct.model_dump(), **fields})


def test_the_whole_path_runs_over_tls_with_a_password(direct: KafkaSettings, secure: KafkaSettings) -> None:
    produce(direct, (b"%d" % number for number in range(30)))

    with closing(Loop(*connect(secure, await_topics(secure).limits_bytes, Metrics(CollectorRegistry())))) as loop:
        loop.run_until(lambda: loop.committed == 30)

    assert_each_event_came_out_once(direct, [10] * 3)


@pytest.mark.parametrize("wrong", [{"sasl_password": "wrong"}, {"ssl_cafile": None}], ids=["password", "authority"])
def test_a_wrong_password_and_an_unknown_authority_are_reported_at_the_start(
    secure: KafkaSettings, wrong: dict[str, object]
) -> None:
    settings = KafkaSettings(**{**secure.model_dump(), **wrong, "start_timeout_s": 4})

    # in a process of its own: a client that fails to start leaves a thread behind, which never gives up
    ended = run_moderator("topics", "create", **kafka_variables(settings))

    assert ended.returncode == 3, ended.stderr
    assert re.search(r"accepts connections: check .* certificates, user and password", ended.stderr)
