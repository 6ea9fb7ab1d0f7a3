"""Around every request: its name, its log line, its metrics, and an answer even where a fault of ours shows."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moderator.http.api.exchange import CLIENT_GONE, Exchange
from moderator.http.api.intake import Intake
from moderator.http.probes import PROBES
from moderator.http.refusals import internal
from moderator.http.request_id import HEADER, request_id_of
from moderator.observability.http_metrics import OTHER, ROUTES, HttpMetrics
from moderator.observability.logging import get_logger

log = get_logger(__name__)

_DISCARD_S: Final = 1.0
_REFUSED: Final = 400


class Front:
    """The outermost application."""

    def __init__(self, app: ASGIApp, intake: Intake, metrics: HttpMetrics) -> None:
        self._app = app
        self._judges = intake
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        now_s = time.monotonic()
        exchange = Exchange(request_id_of(scope["headers"]), now_s, now_s)
        exchange.attach(scope)
        answer = _Answer(
            exchange.request_id, receive, send, lambda status: self._count(scope["path"], exchange, status)
        )
        try:
            await self._app(scope, answer.receive, answer.send)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not print the values it met, and must be answered
            _log_fault(exchange, error)
            if answer.status is None:
                exchange.code = "internal"
                await internal().response()(scope, receive, answer.send)
        finally:
            if exchange.is_accepted:
                self._judges.leave()

    def _count(self, path: str, exchange: Exchange, status: int) -> None:
        if path in PROBES:
            return
        route = path if path in ROUTES else OTHER
        seconds = time.monotonic() - exchange.read_s
        self._metrics.requests.labels(route, str(status)).inc()
        if status != CLIENT_GONE:
            self._metrics.request_seconds.labels(route).observe(seconds)
        if exchange.code is not None and status > _REFUSED:
            self._metrics.refused.labels(exchange.code).inc()
        log.info(
            "http_answered",
            request_id=exchange.request_id,
            route=route,
            status=status,
            code=exchange.code,
            ms=round(seconds * 1_000, 1),
        )


class _Answer:
    """Names the answer, has it counted, and lets a client that still sends a refused body read it.

    It is counted before it is sent: whoever has read it and then asks for the metrics finds it there, and how slowly
    a client reads is no time of ours.

    Attributes:
        status: None until it is sent.
    """

    def __init__(self, request_id: str, receive: Receive, send: Send, count: Callable[[int], None]) -> None:
        self._request_id = request_id
        self._receive = receive
        self._send = send
        self._count = count
        self._closes = False
        self._is_read = False
        self.status: int | None = None

    async def receive(self) -> Message:
        """Give the next part of the request."""
        message = await self._receive()
        self._is_read = not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        """Send one part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._request_id
            headers.setdefault("cache-control", "no-store")
            self._closes = headers.get("connection") == "close" and not self._is_read
            self._count(message["status"])
        elif self._closes and not message.get("more_body"):
            # closed while bytes still come, the connection would be reset, and the answer lost
            await self._send({**message, "more_body": True})
            await self._discard()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _discard(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_S):
                while (await self._receive()).get("more_body"):
                    pass


def _log_fault(exchange: Exchange, error: Exception) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None
    log.error("http_fault", request_id=exchange.request_id, error=type(error).__name__, at=at)
