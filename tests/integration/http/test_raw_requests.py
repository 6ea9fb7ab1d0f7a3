"""Requests as no client library would send them, on a socket: each gets its answer, and the server stays healthy."""

import json
import select
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.servers.http_stage import TOKEN, Stage, a_stage, served
from tests.waiting import PATIENCE_S, await_condition

LIMIT = 100_000
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
TYPE = "Content-Type: application/json"
SOON = "X-Moderator-Deadline-Ms: 400"
"""For tests of the deadline alone: on a busy machine any other request may take as long."""


class Door(NamedTuple):
    stage: Stage
    port: int


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def code(self) -> tuple[int, str]:
        return self.status, self.body["error"]["code"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("policies")
    with (
        a_stage(folder, http__max_body_bytes=LIMIT, http__max_batch=8, http__queue_events=8) as stage,
        served(stage) as port,
    ):
        yield Door(stage, port)


@pytest.fixture(autouse=True)
def _stays_healthy(door: Door) -> Iterator[None]:
    yield
    assert send(door, request(b'{"text": "a"}')).status == 200
    assert door.stage.count("moderator_http_queue_events") == 0
    await_condition(lambda: door.stage.intake._accepted == 0)


def request(body: bytes, *headers: str, path: str = "/v1/decisions", length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", AUTHORIZATION, TYPE]
    lines += [f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def send(door: Door, data: bytes) -> Answer:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(data)
        return receive(client)


def receive(client: socket.socket) -> Answer:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(client)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    while len(body) < length:
        body += _more(client)
    is_json = headers.get("content-type") == "application/json"
    return Answer(int(status.split()[1]), headers, json.loads(body[:length]) if is_json else body)


def _more(client: socket.socket) -> bytes:
    part = client.recv(65_536)
    assert part, "the connection was closed without an answer"
    return part


def test_a_body_that_is_cut_is_answered_by_nobody_and_leaves_nothing_behind(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b'{"text": "a', length=100))


def gone(door: Door) -> tuple[float, float]:
    """How many requests were counted whose clients hung up, and how many faults of ours."""
    hung_up = door.stage.count("moderator_http_requests_total", route="/v1/decisions", status="499")
    faults = door.stage.count("moderator_http_refused_total", code="internal")
    return hung_up or 0, faults or 0


def test_clients_that_hang_up_are_counted_as_such_and_are_no_fault(door: Door) -> None:
    before, faults = gone(door)
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b'{"text": "a', length=100))
    await_condition(lambda: gone(door) == (before + 1, faults))

    with door.stage.busy():
        with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
            client.sendall(request(b'{"text": "gone"}'))
            await_condition(lambda: door.stage.count("moderator_http_queue_events") == 1)
        await_condition(lambda: gone(door) == (before + 2, faults))


def test_a_length_that_says_too_much_runs_into_the_deadline(door: Door) -> None:
    answer = send(door, request(b'{"text": "a"}', SOON, length=100))

    assert answer.code == (504, "deadline_exceeded")
    assert answer.headers["x-should-retry"] == "false"


def test_a_length_that_says_too_little_cuts_the_body(door: Door) -> None:
    assert send(door, request(b'{"text": "a"}', length=8)).code == (400, "bad_json")


def test_a_length_that_is_no_number_is_no_http(door: Door) -> None:
    assert send(door, request(b"", "Content-Length: x")).status == 400


def test_a_large_length_is_refused_before_anything_comes(door: Door) -> None:
    for length in (LIMIT + 1, 10**15):
        answer = send(door, request(b"", length=length))

        assert answer.code == (413, "body_too_large")
        assert answer.headers["connection"] == "close"


def test_a_client_that_goes_on_sending_a_large_body_reads_the_answer(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b"", length=20 * LIMIT))
        for _ in range(20):
            client.sendall(b" " * LIMIT)
        answer = receive(client)

        assert answer.code == (413, "body_too_large")
        assert client.recv(100) == b""


def test_chunks_beyond_the_limit_are_refused_while_they_come(door: Door) -> None:
    head = f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}\r\n{TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(head.encode())
        for _ in range(3):
            client.sendall(f"{LIMIT // 2:x}\r\n".encode() + b" " * (LIMIT // 2) + b"\r\n")
        answer = receive(client)

    assert answer.code == (413, "body_too_large")


def test_who_waits_for_leave_to_send_a_large_body_gets_the_refusal_instead(door: Door) -> None:
    answer = send(door, request(b"", "Expect: 100-continue", length=LIMIT + 1))

    assert answer.code == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10_000,
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 10_000,
        b'{"text": NaN}',
        b'{"text": "\xff"}',
        b"\xef\xbb\xbf{",
    ],
)
def test_hostile_json_is_refused(body: bytes, door: Door) -> None:
    assert send(door, request(body)).code == (400, "bad_json")


def test_lone_surrogates_are_judged(door: Door) -> None:
    answer = send(door, request(b'{"input": ["cut \\ud83d", "\\udc00"]}', path="/v1/moderations"))

    assert answer.status == 200
    assert len(answer.body["results"]) == 2


def test_a_client_that_sends_a_byte_at_a_time_is_cut_off_at_the_deadline(door: Door) -> None:
    body = b'{"text": "' + b"a" * 1_000 + b'"}'
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b"", SOON, length=len(body)))
        for at in range(len(body)):
            client.sendall(body[at : at + 1])
            if select.select([client], [], [], 0.02)[0]:
                break
        answer = receive(client)

    assert answer.code == (504, "deadline_exceeded")


CHUNKED = (
    f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}\r\n{TYPE}\r\nTransfer-Encoding: chunked\r\n".encode()
)


@pytest.mark.parametrize(
    "data",
    [
        b"HELLO\r\n\r\n",
        b"POST /v1/decisions HTTP/1.1\r\nno header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        CHUNKED + b"\r\nno length\r\n",
        CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
        CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n0\r\n\r\n",
    ],
)
def test_malformed_http_gets_an_answer_of_the_usual_shape_and_is_closed(data: bytes, door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(data)
        answer = receive(client)
        rest = client.recv(100)

    assert answer.code == (400, "bad_request")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "no-store"
    assert rest == b""


def test_a_request_that_says_its_length_twice_keeps_its_name(door: Door) -> None:
    answer = send(door, CHUNKED + b"Content-Length: 3\r\nX-Request-ID: trace-7\r\n\r\n0\r\n\r\n")

    assert answer.headers["x-request-id"] == "trace-7"


def test_two_requests_on_one_connection_are_both_answered(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) as client:
        client.sendall(request(b'{"id": "1", "text": "a"}'))
        first = receive(client)
        client.sendall(request(b'{"id": "2", "text": "b"}'))
        second = receive(client)

    assert [each.body["event"]["id"] for each in (first, second)] == ["1", "2"]


def test_a_connection_with_a_wrong_token_and_a_large_body_is_told_so(door: Door) -> None:
    answer = send(door, request(b" " * LIMIT).replace(TOKEN.encode(), b"wrong"))

    assert answer.code == (401, "invalid_api_key")


def test_no_answer_allows_another_origin(door: Door) -> None:
    answer = send(door, request(b'{"text": "a"}', "Origin: https://evil.example"))

    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers


def test_clients_that_hang_up_leave_the_queue(door: Door) -> None:
    with door.stage.busy():
        clients = [socket.create_connection(("127.0.0.1", door.port), timeout=PATIENCE_S) for _ in range(8)]
        for number, client in enumerate(clients):
            client.sendall(request(b'{"text": "gone %d"}' % number))
        await_condition(lambda: door.stage.count("moderator_http_queue_events") == 8)
        for client in clients:
            client.close()
        await_condition(lambda: door.stage.count("moderator_http_queue_events") == 0)
        scored = len(door.stage.scorer._conversations)

    assert scored == len(door.stage.scorer._conversations)
