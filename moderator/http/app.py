"""The pages for probes and Prometheus: they need no token and never touch the stream."""

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from moderator.observability.health import HealthBoard, liveness_failures, readiness_failures, staleness

OK = 200
UNAVAILABLE = 503


def create_app(board: HealthBoard, registry: CollectorRegistry, monotonic_s: Callable[[], float]) -> FastAPI:
    """Make the application; it reads the board's latest snapshot and the registry, and changes neither."""
    app = FastAPI(title="moderator", openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return _answer("healthy", liveness_failures(board.snapshot, monotonic_s()))

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        now_s = monotonic_s()
        return _answer("ready", readiness_failures(board.snapshot, now_s) + staleness(board.policies, now_s))

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    return app


def _answer(claim: str, objections: list[str]) -> JSONResponse:
    status = f"not {claim}" if objections else claim
    return JSONResponse({"status": status, "reasons": objections}, UNAVAILABLE if objections else OK)
