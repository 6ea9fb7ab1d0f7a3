"""The application: probes, metrics, and the API's routes."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from moderator.http import refusals
from moderator.http.api.body import JSON
from moderator.http.api.decisions import MEDIA_TYPES, decide_events
from moderator.http.api.exchange import CLIENT_GONE, ClientGoneError, exchange_of
from moderator.http.api.front import Front
from moderator.http.api.gate import Call, Gate
from moderator.http.api.guardrail import PATH as GUARDRAIL
from moderator.http.api.guardrail import guard
from moderator.http.api.intake import Intake
from moderator.http.api.moderations import moderate
from moderator.http.api.openapi import openapi
from moderator.http.api.status import Replica, tell_status
from moderator.http.probes import add_probes
from moderator.http.refusals import Refusal
from moderator.observability.health import HealthBoard
from moderator.observability.metrics import Metrics
from moderator.settings import Settings

Handler = Callable[[Call, Intake, Settings], Awaitable[Response]]

_JSON_ALONE: Final = (JSON,)
_POSTED: Final[dict[str, tuple[Handler, Collection[str]]]] = {
    "/v1/moderations": (moderate, _JSON_ALONE),
    "/v1/decisions": (decide_events, MEDIA_TYPES),
    GUARDRAIL: (guard, _JSON_ALONE),
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the application shows and asks.

    Attributes:
        intake: let requests in once the model is warm.
        board: what probes are answered from.
    """

    settings: Settings
    intake: Intake
    board: HealthBoard
    metrics: Metrics
    replica: Replica
    monotonic_s: Callable[[], float]

    @property
    def registry(self) -> CollectorRegistry:
        """What Prometheus reads."""
        return self.metrics.registry


def create_app(served: Served) -> ASGIApp:
    """Make the application."""
    # no page that loads foreign scripts, and no redirections: an address is right or wrong
    app = FastAPI(title="moderator", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(ClientGoneError, _unheard)
    app.add_exception_handler(Exception, _at_fault)
    add_probes(app, served.board, served.registry, served.monotonic_s)
    gate = Gate(served.settings.http, served.intake)
    for path, (handler, media_types) in _POSTED.items():
        app.add_route(path, _endpoint(gate, served, handler, media_types), methods=["POST"])

    @app.get("/v1/status")
    async def status(request: Request) -> Response:
        gate.let_in(request)
        return tell_status(served.intake, served.board, served.replica)

    @app.get("/openapi.json")
    async def document() -> Response:
        return JSONResponse(openapi())

    return Front(app, served.intake, served.metrics.http)


def _endpoint(
    gate: Gate, served: Served, handler: Handler, media_types: Collection[str]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = await gate.open(request, media_types)
        return await handler(call, served.intake, served.settings)

    return endpoint


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    exchange_of(request).code = refusal.code
    return refusal.response()


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allow = (error.headers or {}).get("Allow")
    return await _refused(request, refusals.not_found() if allow is None else refusals.method_not_allowed(allow))


async def _unheard(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _at_fault(request: Request, _: Exception) -> Response:
    return await _refused(request, refusals.internal())
