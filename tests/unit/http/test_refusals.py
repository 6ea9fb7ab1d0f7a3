"""The shape of errors, and the names of requests."""

import json
import re

import pytest

from moderator.http import refusals
from moderator.http.refusals import Refusal
from moderator.http.request_id import request_id_of


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (504, "server_error"),
    ],
)
def test_an_error_has_the_shape_of_openais(status: int, kind: str) -> None:
    answer = Refusal(status, "no_text", "nothing to judge", param="input[2]", headers={"Retry-After": "3"}).response()

    assert answer.status_code == status
    assert answer.headers["retry-after"] == "3"
    assert json.loads(bytes(answer.body)) == {
        "error": {"message": "nothing to judge", "type": kind, "param": "input[2]", "code": "no_text"}
    }


def test_what_a_client_needs_to_know_is_in_the_headers() -> None:
    assert refusals.method_not_allowed("POST").headers == {"Allow": "POST"}
    assert refusals.method_not_allowed("GET, POST").headers == {"Allow": "GET, HEAD, POST"}
    assert refusals.invalid_api_key().headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize("given", [b"r", b"trace-1/~!", b"x" * 128])
def test_a_usable_request_id_is_kept(given: bytes) -> None:
    assert request_id_of([(b"x-request-id", given)]) == given.decode()


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, "é".encode(), b"a\x00"])
def test_another_request_id_is_replaced(given: bytes) -> None:
    assert re.fullmatch("req_[0-9a-f]{32}", request_id_of([(b"x-request-id", given)]))
