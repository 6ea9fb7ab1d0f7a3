"""Where a request ends: nothing may leave that open."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class OneLength:
    """Refuses a request that says twice how long it is, and closes its connection.

    A proxy that goes by the other length would take what follows for another client's request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and _is_ambiguous(scope):
            refused = PlainTextResponse("Invalid HTTP request received.", 400, {"Connection": "close"})
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_ambiguous(scope: Scope) -> bool:
    names = {name for name, _ in scope["headers"]}
    is_chunked = b"transfer-encoding" in names
    return is_chunked and (b"content-length" in names or scope["http_version"] == "1.0")
