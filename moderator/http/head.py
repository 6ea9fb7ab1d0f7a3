"""`HEAD` wherever there is `GET`: the same status and headers."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGet:
    """Lets an application answer `HEAD` as it answers `GET`; the server sends no body to who asked for none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server keeps its own
        await self._app(scope, receive, send)
