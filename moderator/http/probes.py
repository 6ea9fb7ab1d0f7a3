"""The pages for probes and Prometheus: they need no token and never touch the stream."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from moderator.observability.health import HealthBoard, Problem, liveness_problems, readiness_problems

PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
OK = 200
UNAVAILABLE = 503


def add_probes(app: FastAPI, board: HealthBoard, registry: CollectorRegistry, monotonic_s: Callable[[], float]) -> None:
    """Add the pages; they read the board's latest snapshot and the registry, and change neither."""

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        return _answer("healthy", liveness_problems(board, monotonic_s()))

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        return _answer("ready", readiness_problems(board, monotonic_s()))

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)


def _answer(claim: str, problems: list[Problem]) -> JSONResponse:
    content = {
        "status": f"not {claim}" if problems else claim,
        "reasons": [problem.reason for problem in problems],
        "codes": list(dict.fromkeys(problem.code for problem in problems)),
    }
    return JSONResponse(content, UNAVAILABLE if problems else OK)
