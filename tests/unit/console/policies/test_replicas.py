"""Each replica's own word, and what is said of one that does not answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest
from pydantic import SecretStr

from moderator.console.policies.replicas import Replicas
from moderator.errors import ConfigurationError
from moderator.replica_status import read_replica

TOKEN = SecretStr("correct-horse-battery")
STATUS: dict[str, Any] = {
    "policies": {"snapshot": "sha256:6cfd", "since": None, "folder": "refused", "problems": [], "ignored": []}
}


class Replica(BaseHTTPRequestHandler):
    """Answers `/v1/status` to whoever has the token."""

    def do_GET(self) -> None:
        is_right = self.headers["Authorization"] == f"Bearer {TOKEN.get_secret_value()}"
        self.send_response(200 if is_right else 401)
        self.end_headers()
        self.wfile.write(json.dumps(STATUS).encode() if is_right and self.path == "/v1/status" else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Print nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Replica)
    # it looks this often whether it shall stop
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_replica_is_asked_and_one_that_is_away_is_said_to_be(url: str) -> None:
    replicas = Replicas([url, "http://127.0.0.1:9"], TOKEN, lambda: 7)

    replicas.ask()

    here, away = replicas.words
    assert here.policies is not None
    assert (here.policies["snapshot"], here.policies["folder"], here.at_ms) == ("sha256:6cfd", "refused", 7)
    assert away.policies is None
    assert "no replica answers at `http://127.0.0.1:9`" in away.error


def test_a_wrong_token_is_named_by_its_setting(url: str) -> None:
    replicas = Replicas([url], None, lambda: 7)

    replicas.ask()

    assert "MODERATOR_CONSOLE__SCORER_TOKEN" in replicas.words[0].error


def test_without_addresses_nobody_is_asked() -> None:
    replicas = Replicas([], None, lambda: 7)

    replicas.run()

    assert replicas.words == ()


def test_a_refusal_leaves_no_connection_open(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_replica(url, None, "A_TOKEN")

    assert isinstance(refused.value.__cause__, HTTPError)
    assert refused.value.__cause__.closed
