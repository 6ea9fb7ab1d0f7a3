"""Typed text sent to replicas that are scripted, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError

import orjson
import pytest
from pydantic import SecretStr

from moderator.console.trials.text import NotScoredError, ReplicaScorer, ScorerAwayError
from tests.unit.console.decisions import a_decision

EVENT = {"messages": [{"role": "user", "content": "hello"}]}


class Replica:
    """Answers every request with one status and body."""

    def __init__(self) -> None:
        self.status, self.body = 200, orjson.dumps(a_decision(1))
        self.asked: list[tuple[str, str | None, Any]] = []
        replica = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                replica.asked.append((self.path, self.headers["authorization"], body))
                self.send_response(replica.status)
                self.end_headers()
                self.wfile.write(replica.body)

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def replica() -> Iterator[Replica]:
    replica = Replica()
    yield replica
    replica.server.shutdown()
    replica.server.server_close()


def test_the_first_replica_that_answers_scores(replica: Replica) -> None:
    scorer = ReplicaScorer(
        ["http://127.0.0.1:9", f"{replica.url}/"], SecretStr("old-token-0123456789,new-token-0123456789")
    )

    decision = scorer.score(EVENT)

    assert decision["decision_id"] == f"mod_{1:032x}"
    assert replica.asked == [("/v1/decisions", "Bearer old-token-0123456789", EVENT)]


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (
            422,
            b'{"error": {"code": "no_text", "message": "the text is blank"}}',
            "no_text",
            "refuses: the text is blank",
        ),
        (401, b"<html>", "refused", "status 401"),
        (413, b"[]", "refused", "status 413"),
    ],
)
def test_a_refusal_of_the_replica_is_given_on(replica: Replica, status: int, body: bytes, code: str, said: str) -> None:
    replica.status, replica.body = status, body

    with pytest.raises(NotScoredError, match=said) as refused:
        ReplicaScorer([replica.url], None).score(EVENT)

    assert (refused.value.status, refused.value.code) == (status, code)
    assert replica.asked[0][1] is None
    assert isinstance(refused.value.__cause__, HTTPError)
    assert refused.value.__cause__.closed


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"", "it answers with status 503"),
        (200, b"{}", "what it answers is no decision"),
        (200, orjson.dumps(a_decision(1) | {"verdict": "maybe"}), "what it answers is no decision"),
    ],
)
def test_replicas_that_do_not_score_are_named(replica: Replica, status: int, body: bytes, said: str) -> None:
    replica.status, replica.body = status, body

    with pytest.raises(ScorerAwayError, match=said):
        ReplicaScorer([replica.url], None).score(EVENT)
