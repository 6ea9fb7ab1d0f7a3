"""`moderator serve` as an operator starts it: a process of its own, the built-in model, no Kafka."""

import contextlib
import http.client
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from moderator.demo.examples import example_policies
from tests.builders import POLICY_FILES, write_files
from tests.logs import said
from tests.waiting import PATIENCE_S, await_condition
from tests.warm.process import WarmReplica, run_moderator

TOKEN = "a-token-of-the-tests"
COLD_S = 180.0
"""Workers of `--devices` are processes that import torch themselves."""


class Server(WarmReplica):
    command = "serve"

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_S)
        given = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
        connection.request(method, path, None if body is None else orjson.dumps(body), given)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, json.loads(content)


def settings(policies: Path, **more: str) -> dict[str, str]:
    return {
        "MODERATOR_MODEL__PATH": "builtin",
        "MODERATOR_POLICIES__PATH": str(policies),
        "MODERATOR_HTTP__TOKEN": TOKEN,
        # on a busy machine too, all is answered
        "MODERATOR_HTTP__DEADLINE_MS": "60000",
        "MODERATOR_DRAIN_TIMEOUT_S": "60",
        **more,
    }


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("served") / "policies", POLICY_FILES)


@pytest.fixture(scope="module")
def server(policies: Path) -> Iterator[Server]:
    with Server(settings(policies)) as server:
        assert server.await_ready(PATIENCE_S), server.last_lines()
        yield server


def test_it_decides_without_kafka_and_says_who_it_is(server: Server) -> None:
    status, decision = server.ask("POST", "/v1/decisions", {"id": "evt-1", "text": "Hello there"})
    _, told = server.ask("GET", "/v1/status")

    assert (status, decision["status"]) == (200, "scored")
    assert told["ready"] is True
    assert told["model"]["name"] == "builtin"
    assert (told["policies"]["folder"], told["policies"]["problems"]) == ("in force", [])
    assert told["policies"]["snapshot"] == decision["policy"]["snapshot"]
    assert "kafka" not in server.log.read_text().lower()


def test_an_edit_is_taken_up_or_refused_and_whoever_asks_is_told(server: Server, policies: Path) -> None:
    def folder() -> tuple[str, list[Any]]:
        told = server.ask("GET", "/v1/status")[1]["policies"]
        return told["folder"], told["problems"]

    before = server.ask("GET", "/v1/status")[1]["policies"]
    file = policies / "safety.yaml"
    file.write_text(POLICY_FILES["safety.yaml"].replace("below 0.30", "bellow 0.30"))
    await_condition(lambda: folder()[0] == "refused")
    (problem,) = folder()[1]
    (policies / "old.yaml.txt").write_text("not a policy")
    status = run_moderator(
        "policy", "status", "--url", f"http://127.0.0.1:{server.http_port}", MODERATOR_HTTP__TOKEN=TOKEN
    )
    file.write_text(POLICY_FILES["safety.yaml"].replace("below 0.30", "below 0.35"))
    await_condition(lambda: folder()[0] == "in force")
    after = server.ask("GET", "/v1/status")[1]["policies"]

    assert (problem["file"], problem["code"], problem["severity"]) == ("safety.yaml", "P030", "error")
    assert status.returncode == 1
    assert "safety.yaml" in status.stdout
    assert before["snapshot"] != after["snapshot"]
    assert before["since"] < after["since"]
    assert after["ignored"] == ["old.yaml.txt"]


@pytest.mark.parametrize(
    ("variables", "flags", "error"),
    [
        ({"MODERATOR_MODEL__PATH": ""}, (), "no model is named"),
        ({"MODERATOR_HTTP__TOKEN": "hunter2"}, (), "MODERATOR_HTTP__TOKEN"),
        ({}, ("--port", "99999"), "65535"),
    ],
)
def test_a_wrong_start_is_exit_2(variables: dict[str, str], flags: tuple[str, ...], error: str) -> None:
    ran = run_moderator("serve", *flags, **(settings(example_policies()) | variables))

    last = json.loads(ran.stderr.splitlines()[-1])
    assert (ran.returncode, last["event"], last["code"]) == (2, "ended", 2)
    assert error in last["error"]
    assert "hunter2" not in ran.stderr


def test_the_port_is_open_before_the_model_is_warm_and_a_signal_ends_it_at_once() -> None:
    with Server(settings(example_policies())) as server:
        await_condition(lambda: bool(server.log.exists() and said(server, "http_listening")))
        status, refused = server.ask("POST", "/v1/decisions", {"text": "a"})
        probe = server.ask("GET", "/healthz")[0]
        server.signal(signal.SIGTERM)
        code = server.wait(PATIENCE_S)

    assert (status, refused["error"]["code"], probe) == (503, "not_ready", 200)
    assert code == 0


def test_what_was_let_in_is_answered_after_sigterm() -> None:
    with Server(settings(example_policies())) as server, ThreadPoolExecutor() as pool:
        assert server.await_ready(PATIENCE_S), server.last_lines()
        answer = pool.submit(server.ask, "POST", "/v1/decisions", many_texts(200))
        await_condition(lambda: _waiting(server) > 0)
        server.signal(signal.SIGTERM)
        code = server.wait(PATIENCE_S)
        (end,) = said(server, "ended")

    status, decisions = answer.result()
    assert (status, len(decisions)) == (200, 200)
    assert (code, end["reason"]) == (0, "drained")


def test_what_cannot_be_answered_within_the_drain_time_is_exit_4() -> None:
    slow = settings(example_policies(), MODERATOR_DRAIN_TIMEOUT_S="0.01")
    with Server(slow) as server, ThreadPoolExecutor() as pool:
        assert server.await_ready(PATIENCE_S), server.last_lines()
        for first in range(0, 1_024, 256):  # seconds of work, so that much is left however late the signal comes
            pool.submit(_ask_without_an_answer, server, many_texts(256, first))
        await_condition(lambda: _waiting(server) > 0)
        server.signal(signal.SIGTERM)
        code = server.wait(PATIENCE_S)
        (end,) = said(server, "ended")

    assert (code, end["reason"]) == (4, "drain_timeout")
    assert "`drain_timeout_s`, 0.01 s" in end["error"]


def many_texts(count: int, first: int = 0) -> list[dict[str, str]]:
    return [{"text": f"a text of some length, number {first + number} " * 20} for number in range(count)]


def _ask_without_an_answer(server: Server, body: object) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.ask("POST", "/v1/decisions", body)


def _waiting(server: Server) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=PATIENCE_S)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    (line,) = (line for line in page.splitlines() if line.startswith("moderator_http_queue_events "))
    return float(line.split()[1])


def neighbouring_ports() -> int:
    """Find a port that is free together with the next one; give the first."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first, contextlib.suppress(OSError, OverflowError):
            port: int = first.getsockname()[1]
            with socket.create_server(("127.0.0.1", port + 1)):
                return port


@pytest.mark.long  # two processes that import torch themselves
def test_each_worker_answers_on_the_next_port_and_a_signal_drains_all(policies: Path) -> None:
    first = neighbouring_ports()
    with Server(settings(policies, MODERATOR_HTTP__PORT=str(first)), ("--devices", "cpu,cpu")) as server:
        told = []
        for port in (first, first + 1):
            server.http_port = port
            assert server.await_ready(COLD_S), server.last_lines()
            told.append(server.ask("POST", "/v1/decisions", {"id": "evt-1", "text": "Hello there"}))
        server.signal(signal.SIGTERM)
        code = server.wait(PATIENCE_S)
        ended = [line["exit_code"] for line in said(server, "worker_ended")]

    assert [status for status, _ in told] == [200, 200]
    assert told[0][1]["decision_id"] == told[1][1]["decision_id"]
    assert (code, ended) == (0, [0, 0])
