"""Access, limits and errors, in the order in which they are checked."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message
from structlog.testing import capture_logs

from moderator.http.api.intake import Intake
from moderator.observability.http_metrics import REFUSED_CODES
from tests.servers.http_stage import TOKEN, Stage, a_stage
from tests.waiting import PATIENCE_S, await_condition

ROUTES = ("/v1/moderations", "/v1/decisions", "/beta/litellm_basic_guardrail_api")
BODIES = {ROUTES[0]: {"input": "a"}, ROUTES[1]: {"text": "a"}, ROUTES[2]: {"input_type": "request", "texts": ["a"]}}
SECRET = "a secret that nobody may read"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with a_stage(tmp_path, http__max_body_bytes=1_000, http__max_batch=4, http__queue_events=4) as stage:
        yield stage


@pytest.fixture(scope="module")
def lasting_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all tests of requests that are refused, which leave nothing behind."""
    with a_stage(tmp_path_factory.mktemp("policies"), http__max_body_bytes=1_000, http__max_batch=4) as stage:
        yield stage


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert SECRET not in answer.text
    return answer.status_code, error["code"]


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/v1", "/v1/decisions/", "/console", "/%00"])
def test_an_unknown_address_is_not_found_whoever_asks(path: str, stage: Stage) -> None:
    answer = stage.client.get(path, headers={"authorization": "wrong"})

    assert code(answer) == (404, "not_found")
    assert stage.count("moderator_http_requests_total", route="other", status="404") == 1
    assert stage.count("moderator_http_refused_total", code="not_found") == 1


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/decisions", "POST"),
        ("PUT", "/v1/moderations", "POST"),
        ("OPTIONS", "/v1/moderations", "POST"),
        ("POST", "/v1/status", "GET, HEAD"),
        ("DELETE", "/openapi.json", "GET, HEAD"),
        ("TRACE", "/healthz", "GET, HEAD"),
    ],
)
def test_another_method_is_refused_with_those_there_are(
    method: str, path: str, allow: str, lasting_stage: Stage
) -> None:
    answer = lasting_stage.client.request(method, path)

    assert code(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize("path", [*ROUTES, "/v1/status"])
def test_a_token_is_needed(path: str, lasting_stage: Stage) -> None:
    method = "GET" if path == "/v1/status" else "POST"

    answers = [
        lasting_stage.client.request(method, path, headers=headers, content=b"not even JSON")
        for headers in (
            {"authorization": ""},
            {"authorization": f"Bearer {TOKEN}x"},
            {"authorization": f"Basic {TOKEN}"},
        )
    ]

    assert [code(answer) for answer in answers] == [(401, "invalid_api_key")] * 3
    assert answers[0].headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{"authorization": f"bearer {TOKEN}"}, {"authorization": "", "x-api-key": TOKEN}])
def test_a_token_opens_in_either_header(headers: dict[str, str], stage: Stage) -> None:
    assert stage.client.get("/v1/status", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/healthz", "/readyz", "/metrics"])
def test_probes_metrics_and_the_document_need_no_token(path: str, stage: Stage) -> None:
    answer = stage.client.get(path, headers={"authorization": "", "host": "moderator.example"})

    assert answer.status_code == 200
    assert answer.headers["x-request-id"]


def test_without_a_token_a_server_that_others_can_reach_answers_nobody(tmp_path: Path) -> None:
    with capture_logs() as logs, a_stage(tmp_path, http__host="0.0.0.0", http__token=None) as stage:
        answers = [stage.client.post(path, json=BODIES[path]) for path in ROUTES]

    assert [code(answer) for answer in answers] == [(403, "token_required")] * 3
    assert [line["log_level"] for line in logs if line["event"] == "http_without_token"] == ["warning"]


@pytest.mark.parametrize(
    ("host", "status"), [("localhost:8080", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 403)]
)
def test_without_a_token_a_loopback_server_answers_to_its_own_names(host: str, status: int, tmp_path: Path) -> None:
    with a_stage(tmp_path, http__token=None) as stage:
        answer = stage.client.post("/v1/decisions", json={"text": "a"}, headers={"host": host})

    assert answer.status_code == status
    assert status == 200 or code(answer) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/cloudevents+json"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_body_of_another_type_is_refused(headers: dict[str, str], lasting_stage: Stage) -> None:
    answer = lasting_stage.client.post("/v1/moderations", content=b'{"input": "a"}', headers=headers)

    assert code(answer) == (415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused_by_its_announced_length_and_while_it_is_read(stage: Stage) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * 500

    headers = {"content-type": "application/json"}
    announced = stage.client.post("/v1/decisions", content=b" " * 1_001, headers=headers)
    chunked = stage.client.post("/v1/decisions", content=chunks(), headers=headers)

    assert [code(announced), code(chunked)] == [(413, "body_too_large")] * 2
    assert announced.headers["connection"] == "close"


@pytest.mark.parametrize("path", [*ROUTES, "/v1/status"])
def test_until_the_model_is_warm_nothing_is_answered(path: str, stage: Stage) -> None:
    stage.intake._warm = None

    answer = stage.client.request("GET" if path == "/v1/status" else "POST", path, json=BODIES.get(path))

    assert code(answer) == (503, "not_ready")
    assert 1 <= int(answer.headers["retry-after"]) <= 30


def test_a_draining_replica_lets_nothing_in_and_answers_what_it_has_let_in(stage: Stage) -> None:
    with ThreadPoolExecutor() as pool, stage.busy():
        accepted = pool.submit(stage.client.post, "/v1/decisions", json={"text": "a"})
        await_condition(lambda: stage.intake._accepted == 1)
        stage.stop.set()
        refused = stage.client.post("/v1/decisions", json={"text": "b"})
        is_idle_early = stage.intake.await_idle(0.01)
    is_idle = stage.intake.await_idle(PATIENCE_S)

    assert code(refused) == (503, "draining")
    assert refused.headers["connection"] == "close"
    assert accepted.result().status_code == 200
    assert (is_idle_early, is_idle) == (False, True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'{"text": NaN}',
        b"[" * 10_000,
        b"[" * 1_025 + b"]" * 1_025,
        b"hello",
    ],
)
def test_what_is_not_json_is_refused(content: bytes, tmp_path: Path) -> None:
    with a_stage(tmp_path) as stage:
        answer = stage.client.post("/v1/decisions", content=content, headers={"content-type": "application/json"})

    assert code(answer) == (400, "bad_json")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("content", [b"5", b'"text"', b"null", b"true"])
def test_json_of_another_shape_is_refused(path: str, content: bytes, lasting_stage: Stage) -> None:
    answer = lasting_stage.client.post(path, content=content, headers={"content-type": "application/json"})

    assert code(answer) == (400, "bad_request")


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "", "\u0661"])
def test_a_deadline_is_a_whole_number_from_1(value: str, lasting_stage: Stage) -> None:
    headers = [(b"x-moderator-deadline-ms", value.encode())]
    answer = lasting_stage.client.post("/v1/decisions", json={"text": "a"}, headers=headers)

    assert code(answer) == (400, "bad_request")
    assert answer.json()["error"]["param"] == "x-moderator-deadline-ms"


@pytest.mark.parametrize(
    ("event", "expected", "param"),
    [
        ({"text": f"{SECRET}", "tenant": 1.5}, (422, "bad_schema"), "tenant"),
        ({"messages": [{"role": SECRET, "content": "a"}]}, (422, "bad_schema"), "messages.0.role"),
        ({"other": SECRET}, (422, "bad_schema"), None),
        ({"text": " "}, (422, "no_text"), None),
    ],
)
def test_an_event_that_would_be_a_dead_letter_is_refused_with_its_reason(
    event: Any, expected: tuple[int, str], param: str | None, lasting_stage: Stage
) -> None:
    answer = lasting_stage.client.post("/v1/decisions", json=event)

    assert code(answer) == expected
    assert answer.json()["error"]["param"] == param


def test_a_batch_that_is_too_large_is_refused_before_its_events_are_read(stage: Stage) -> None:
    answer = stage.client.post("/v1/decisions", json=[{"text": " "}] * 5)

    assert code(answer) == (413, "batch_too_large")


def test_a_full_queue_is_refused_at_once_and_says_when_to_come_again(stage: Stage) -> None:
    with ThreadPoolExecutor() as pool, stage.busy():
        first = pool.submit(stage.client.post, "/v1/decisions", json=[{"text": str(n)} for n in range(4)])
        await_condition(lambda: stage.count("moderator_http_queue_events") == 4)
        answer = stage.client.post("/v1/decisions", json={"text": "one too many"})

    assert code(answer) == (429, "overloaded")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(answer.headers["retry-after"]) <= 30
    assert first.result().status_code == 200


def test_what_is_not_answered_within_the_deadline_is_given_up_and_not_to_be_repeated(stage: Stage) -> None:
    with stage.busy():
        began_s = time.monotonic()
        answer = stage.client.post("/v1/decisions", json={"text": "a"}, headers={"x-moderator-deadline-ms": "50"})
        took_s = time.monotonic() - began_s

    assert code(answer) == (504, "deadline_exceeded")
    assert answer.headers["x-should-retry"] == "false"
    assert 0.05 <= took_s < 20  # it is busy for half a minute
    assert stage.count("moderator_http_queue_events") == 0


def test_a_client_cannot_raise_the_deadline(tmp_path: Path) -> None:
    with a_stage(tmp_path, http__deadline_ms=50) as stage, stage.busy():
        answer = stage.client.post("/v1/decisions", json={"text": "a"}, headers={"x-moderator-deadline-ms": "60000"})

    assert code(answer) == (504, "deadline_exceeded")


def test_a_fault_of_ours_is_answered_and_quotes_nothing(stage: Stage) -> None:
    with capture_logs() as logs:
        answer = stage.client.post("/v1/decisions", json={"text": f"poison {SECRET}"})

    assert code(answer) == (500, "crashed_scorer")
    assert SECRET not in str(logs)
    assert stage.client.post("/v1/decisions", json={"text": "a"}).status_code == 200


def test_a_fault_outside_of_scoring_is_answered_too(tmp_path: Path) -> None:
    class Broken(Intake):
        async def judge(self, *_: Any) -> Any:
            raise ZeroDivisionError(SECRET)

    with a_stage(tmp_path, intake=Broken) as stage, capture_logs() as logs:
        answer = stage.client.post("/v1/decisions", json={"text": "a"})

    assert code(answer) == (500, "internal")
    assert SECRET not in str(logs)
    [fault] = [line for line in logs if line["event"] == "http_fault"]
    assert fault["request_id"] == answer.headers["x-request-id"]
    assert fault["error"] == "ZeroDivisionError"
    assert stage.intake._accepted == 0


def test_every_code_is_counted_from_the_first_scrape(stage: Stage) -> None:
    counts = [stage.count("moderator_http_refused_total", code=code) for code in REFUSED_CODES]

    assert counts == [0] * len(REFUSED_CODES)


def test_each_request_is_logged_by_its_name_and_without_its_text(stage: Stage) -> None:
    with capture_logs() as logs:
        stage.client.post("/v1/moderations", json={"input": SECRET}, headers={"x-request-id": "trace-9"})

    [line] = [line for line in logs if line["event"] == "http_answered"]
    assert (line["request_id"], line["route"], line["status"]) == ("trace-9", "/v1/moderations", 200)
    assert SECRET not in str(logs)


def test_an_answer_is_counted_before_it_is_sent(stage: Stage) -> None:
    counts: list[float | None] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        counts.append(stage.count("moderator_http_requests_total", route="other", status="404"))

    async def ask() -> None:
        scope = {"type": "http", "method": "GET", "path": "/nothing", "query_string": b"", "headers": []}
        await stage.app(scope, receive, send)

    asyncio.run(ask())

    assert counts == [1, 1]


def test_no_answer_is_kept_by_a_cache(stage: Stage) -> None:
    token = {"authorization": f"Bearer {TOKEN}"}
    answers = [stage.client.get(path, headers=token) for path in ("/v1/status", "/healthz", "/metrics", "/nothing")]
    answers += [stage.client.post(path, json=BODIES[path], headers=token) for path in ROUTES]
    answers += [stage.client.get("/v1/status")]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
