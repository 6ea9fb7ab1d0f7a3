"""Where a request ends: nothing may leave that open."""

from starlette.types import ASGIApp, Receive, Scope, Send

from moderator.http.refusals import Refusal
from moderator.http.request_id import closing_headers, request_id_of
from moderator.observability.logging import get_logger

log = get_logger(__name__)


class OneLength:
    """Refuses a request that says twice how long it is, and closes its connection.

    A proxy that goes by the other length would take what follows for another client's request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and _is_ambiguous(scope):
            request_id = request_id_of(scope["headers"])
            log.info("http_length_refused", request_id=request_id)
            await _refusal(request_id).response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_ambiguous(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    is_chunked = b"transfer-encoding" in names
    return is_chunked and (b"content-length" in names or scope["http_version"] == "1.0")


def _refusal(request_id: str) -> Refusal:
    return Refusal(
        400,
        "bad_request",
        "it is unclear where the request ends: send `Content-Length` alone, or, in HTTP/1.1, `Transfer-Encoding` alone",
        headers=closing_headers(request_id),
    )
