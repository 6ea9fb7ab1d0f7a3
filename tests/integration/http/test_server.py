"""The server's thread: start, stop, and an address that cannot be had."""

import contextlib
import json
import logging
import resource
import socket
import threading
from logging.handlers import BufferingHandler

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from moderator.errors import ConfigurationError
from moderator.http import HttpServer
from moderator.http.probes import add_probes
from moderator.http.server import MOST_CONNECTIONS, most_connections
from moderator.observability.health import HealthBoard, HealthSnapshot
from tests.waiting import PATIENCE_S, await_condition

LIMIT_S = 1.0
"""Of a request's headers, where a complete request goes before: that must be sent within it on a busy machine too."""


def _app() -> FastAPI:
    app = FastAPI()
    add_probes(app, HealthBoard(HealthSnapshot(0.0, 0.0)), CollectorRegistry(), lambda: 0.0)
    return app


def read_all(client: socket.socket) -> bytes:
    """Read until the server gives the connection up: it is closed, or reset where the client had still sent."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(4_000):
            received += part
    return received


def test_port_0_is_any_free_one_and_is_told() -> None:
    server = HttpServer(_app(), "127.0.0.1", 0)
    port = server.start()

    answer = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_S)
    server.stop()

    assert answer.json() == {"status": "healthy", "reasons": [], "codes": []}
    assert "server" not in answer.headers


def test_head_is_answered_as_get_is_without_a_body() -> None:
    server = HttpServer(_app(), "127.0.0.1", 0)
    port = server.start()

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        answers = [client.request(method, "/healthz") for method in ("HEAD", "GET")]
        missing = client.head("/nothing")
    server.stop()

    head, get = answers
    assert (head.status_code, head.content, missing.status_code) == (200, b"", 404)
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}


def test_a_stopped_server_leaves_no_thread_and_frees_its_port() -> None:
    first = HttpServer(_app(), "127.0.0.1", 0)
    port = first.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as keeps_its_connection:
        keeps_its_connection.get("/healthz")

        first.stop()
        first.stop()

    await_condition(lambda: "http" not in {thread.name for thread in threading.enumerate()})
    second = HttpServer(_app(), "127.0.0.1", port)
    assert second.start() == port
    second.stop()


def test_a_port_in_use_stops_start_up_and_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError) as caught:
            HttpServer(_app(), "127.0.0.1", port).start()

    assert f"port {port}: Address already in use; choose" in str(caught.value)
    assert "MODERATOR_HTTP__PORT" in str(caught.value)


# the second and third are refused by this machine itself: nobody is asked for their addresses
@pytest.mark.parametrize("host", ["198.51.100.1", "fe80::1%no-such-interface", "x" * 300])
def test_an_address_that_is_not_ours_stops_start_up(host: str) -> None:
    with pytest.raises(ConfigurationError, match="MODERATOR_HTTP__HOST"):
        HttpServer(_app(), host, 0).start()


def test_what_never_started_can_be_stopped() -> None:
    HttpServer(_app(), "127.0.0.1", 0).stop()


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"GET /healthz HT"])
def test_a_client_that_does_not_complete_its_headers_loses_its_connection(sent: bytes) -> None:
    server = HttpServer(_app(), "127.0.0.1", 0, deadline_s=0.05)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(sent)

        received = read_all(client)

    server.stop()
    assert received == b""


def test_a_later_request_on_a_connection_has_the_same_limit() -> None:
    server = HttpServer(_app(), "127.0.0.1", 0, deadline_s=LIMIT_S)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        first = b""
        while not first.endswith(b"}"):
            part = client.recv(4_000)
            assert part, "the connection was closed without an answer"
            first += part
        client.sendall(b"GET /hea")

        rest = read_all(client)

    server.stop()
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert rest == b""


@pytest.mark.parametrize("later", [b"GET /hea", b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"])
def test_a_request_that_begins_before_the_last_answer_has_the_same_limit(later: bytes) -> None:
    async def reads_the_body(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await Response("read")(scope, receive, send)

    server = HttpServer(reads_the_body, "127.0.0.1", 0, deadline_s=LIMIT_S)
    server._server.config.timeout_keep_alive = 3_600  # else it would end the connection too
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + later)

        received = read_all(client)

    server.stop()
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.endswith(b"read")


@pytest.mark.parametrize(
    "head",
    [
        b"POST /healthz HTTP/1.1\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n",
        b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 40\r\n",
        b"POST /healthz HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_of_a_request_with_two_lengths_nothing_after_it_is_read(head: bytes) -> None:
    server = HttpServer(_app(), "127.0.0.1", 0)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(head + b"Host: x\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

        received = read_all(client)

    server.stop()
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_client_that_never_reads_its_answer_loses_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderator.http.server.UNREAD_S", 0.1)
    lost = threading.Event()

    async def says_much(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):
            await send({"type": "http.response.body", "body": b"x" * 2**20, "more_body": True})
        if (await receive())["type"] == "http.disconnect":
            lost.set()

    server = HttpServer(says_much, "127.0.0.1", 0)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        was_lost = lost.wait(PATIENCE_S)

    server.stop()
    assert was_lost


def test_a_connection_beyond_the_most_is_refused_and_those_that_are_open_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moderator.http.server.MOST_CONNECTIONS", 2)
    server = HttpServer(_app(), "127.0.0.1", 0)
    port = server.start()
    ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as first,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S),
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as third,
    ):
        third.sendall(ask)
        refused = read_all(third)
        first.sendall(ask)
        served = first.recv(4_000)

    server.stop()
    head, _, body = refused.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 1" in head
    assert b"\r\nx-request-id: req_" in head
    assert json.loads(body)["error"]["code"] == "too_many_connections"
    assert served.startswith(b"HTTP/1.1 200 ")


def test_connections_leave_files_for_the_rest_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"few": (1_024, 4_096), "many": (1_000_000, 1_000_000), "all": (resource.RLIM_INFINITY, -1)}
    found = {}
    for name, limit in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: limit)
        found[name] = most_connections()

    assert found == {"few": 768, "many": MOST_CONNECTIONS, "all": MOST_CONNECTIONS}


def test_a_request_to_speak_another_protocol_is_answered_as_usual_without_a_warning() -> None:
    warnings = BufferingHandler(10)
    warnings.setLevel(logging.WARNING)
    logging.getLogger("uvicorn").addHandler(warnings)
    server = HttpServer(_app(), "127.0.0.1", 0)
    port = server.start()

    answer = httpx.get(
        f"http://127.0.0.1:{port}/healthz",
        headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        timeout=PATIENCE_S,
    )
    server.stop()
    logging.getLogger("uvicorn").removeHandler(warnings)

    assert answer.status_code == 200
    assert warnings.buffer == []
