"""Why a request is refused, as a client reads it: JSON in the shape of OpenAI's errors."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse


class Refusal(Exception):  # noqa: N818 - no error of ours: an answer
    """A request that is not answered with what it asked for.

    Attributes:
        status: of HTTP.
        code: for programs, such as `no_text`.
        message: for people: one line in lower case that never quotes content.
        param: the first wrong field, such as `input[2]`; None where no field is at fault.
        headers: to send with it.
        more: what the client reads beside the error.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    @property
    def body(self) -> dict[str, Any]:
        """What the client reads."""
        return {
            "error": {
                "message": self.message,
                "type": _type_of(self.status),
                "param": self.param,
                "code": self.code,
            },
            **self.more,
        }

    def response(self) -> JSONResponse:
        """Give the answer."""
        return JSONResponse(self.body, self.status, self.headers)


def not_found() -> Refusal:
    """There is no such route."""
    return Refusal(404, "not_found", "there is no such address here")


def method_not_allowed(allow: str) -> Refusal:
    """The route has other methods; `allow` lists them, but for `HEAD`, which is wherever `GET` is."""
    if "GET" in allow and "HEAD" not in allow:
        allow = allow.replace("GET", "GET, HEAD")
    return Refusal(405, "method_not_allowed", f"this address takes {allow} alone", headers={"Allow": allow})


def token_required(setting: str) -> Refusal:
    """Others than this machine can reach the server, and no token is set."""
    return Refusal(403, "token_required", f"this server is not on a loopback address, and `{setting}` is not set")


def host_not_allowed() -> Refusal:
    """Without a token a loopback server answers to its own names alone."""
    return Refusal(
        403, "host_not_allowed", "without a token the `Host` header must be `localhost`, `127.0.0.1` or `[::1]`"
    )


def invalid_api_key() -> Refusal:
    """No token, or a wrong one."""
    return Refusal(
        401,
        "invalid_api_key",
        "no token or a wrong one: send `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`",
        headers={"WWW-Authenticate": "Bearer"},
    )


def malformed() -> Refusal:
    """What came is no request."""
    return Refusal(400, "bad_request", "this is no HTTP/1.1 request: look at its first line and its headers")


def too_many_connections() -> Refusal:
    """More connections are open than the server keeps."""
    return Refusal(
        503, "too_many_connections", "too many connections are open: try again", headers={"Retry-After": "1"}
    )


def internal() -> Refusal:
    """A fault of ours."""
    return Refusal(500, "internal", "a fault in moderator: please report it, with this answer's `x-request-id`")


def _type_of(status: int) -> str:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
